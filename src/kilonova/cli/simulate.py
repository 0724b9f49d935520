"""`kilonova simulate`: what a fleet would do with a workload, policy beside policy. No cloud is asked, and none has to run."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from kilonova.cli.errors import USAGE, CliError
from kilonova.cli.output import output_option, print_facts, print_rows
from kilonova.cli.talk import Progress, on_terminal, progress, say

if TYPE_CHECKING:  # the scheduler's columns are slow to import, and `kilonova simulate --help` needs none
    from kilonova.simulation.fleet import HostGroup
    from kilonova.simulation.report import PolicyReport, Report
    from kilonova.simulation.trace import Arrival

_COLUMNS = (
    "policy", "placed", "failed", "hosts_in_use", "density_vcpus", "density_ram", "fragmentation", "imbalance_vcpus",
    "p50_ms", "p99_ms",
)  # fmt: skip
_ABOVE_0 = click.FloatRange(0, min_open=True)
_PART = click.FloatRange(0, 1, min_open=True)
_FILE = click.Path(dir_okay=False, path_type=Path)
Command = TypeVar("Command", bound=Callable[..., Any])


def _workload_options(command: Command) -> Command:
    """What to make up, when no trace is given."""
    for option in reversed(
        (
            click.option("--arrivals", type=click.IntRange(1), help="How many servers come.  [default: 5000]"),
            click.option("--hours", type=_ABOVE_0, help="In which time, about.  [default: 168]"),
            click.option(
                "--load", type=_ABOVE_0, help="How full they would keep the fleet, were all placed.  [default: 0.9]"
            ),
            click.option("--lifetimes", type=click.Choice(["lognormal", "exponential"]), help="[default: lognormal]"),
            click.option(
                "--mean-lifetime-h", type=_ABOVE_0, metavar="HOURS", help="Mean lifetime; default: as --load asks."
            ),
            click.option(
                "--wave", type=click.FloatRange(0, 1), help="How far arrivals swing in a day.  [default: 0.3]"
            ),
            click.option(
                "--grouped", type=click.FloatRange(0, 1), help="Part in anti-affinity groups.  [default: 0.1]"
            ),
            click.option("--flavors", type=_FILE, help="A CSV file with the mix of flavors."),
        )
    ):
        command = option(command)
    return command


def _source_options(command: Command) -> Command:
    """Where the fleet and the trace come from."""
    for option in reversed((
        click.option("--fleet", type=_FILE, help="The hosts, as TOML or CSV; default: --hosts alike ones."),
        click.option("--hosts", type=click.IntRange(1), default=100, show_default=True, help="How many, without --fleet."),
        click.option("--trace", type=_FILE, help="The arrivals as CSV; default: made up."),
        click.option("--azure", type=click.Path(path_type=Path), help="The Azure packing trace: SQLite file, or folder of CSV."),
        click.option("--machine", metavar="ID", help="Of the Azure trace: the machine that the fleet's first hosts are."),
        click.option("--priority", type=click.Choice(["high", "low"]), help="Of the Azure trace: only these requests."),
        click.option("--share", type=_PART, default=1.0, help="Of the Azure trace: only this part of it, drawn by the seed."),
        click.option("--limit", type=click.IntRange(1), help="Read no more than so many requests of a trace."),
        click.option("--write-trace", type=_FILE, help="Write the trace that is used, as CSV."),
    )):  # fmt: skip
        command = option(command)
    return command


@click.command()
@_source_options
@_workload_options
@click.option(
    "--policy",
    "policies",
    multiple=True,
    metavar="NAME",
    help="Compare this one; more than once. Also NAME=WEIGHER:MULTIPLIER,...",
)
@click.option("--seed", type=int, default=1, show_default=True, help="The same seed gives the same report.")
@click.option("--samples", type=click.IntRange(1, 10000), default=200, show_default=True, help="Moments to measure at.")
@click.option("--html", type=_FILE, help="Write the report as one HTML page with plots.")
@output_option
def simulate(policies: Sequence[str], seed: int, samples: int, html: Path | None, output: str, **given: Any) -> None:  # fmt: skip
    """
    Run arrivals and departures over a described fleet, and compare placement policies.

    Decisions are the scheduler's own. Policies: first-fit, best-fit, spread, ours, packing, spreading; the first four
    when none is named. docs/simulation.md has the forms of files and what each figure means.
    """
    from kilonova.simulation.compare import compare  # noqa: PLC0415 - slow to import
    from kilonova.simulation.fleet import hosts_of  # noqa: PLC0415 - the same
    from kilonova.simulation.page import render  # noqa: PLC0415 - the same
    from kilonova.simulation.policies import COMPARED, parse_policy  # noqa: PLC0415 - the same

    with _said():
        chosen = [parse_policy(text) for text in policies or COMPARED]
        groups = _fleet(given)
        arrivals = _arrivals(given, groups, seed)
        with progress(f"{len(arrivals):,} arrivals; {', '.join(one.name for one in chosen)}") as tell:
            report = compare(
                hosts_of(groups), arrivals, chosen, seed=seed, samples=samples, told=_teller(tell, len(arrivals))
            )
        if html is not None:
            _write(html, render(report))
    _print(report, output)


def _fleet(given: dict[str, Any]) -> tuple[HostGroup, ...]:
    from kilonova.simulation.fleet import default_fleet, read_fleet  # noqa: PLC0415 - slow to import

    return read_fleet(given["fleet"]) if given["fleet"] else default_fleet(given["hosts"])


def _arrivals(given: dict[str, Any], groups: tuple[HostGroup, ...], seed: int) -> list[Arrival]:
    """From the one source that was named, or made up."""
    from kilonova.simulation import azure, generate, trace  # noqa: PLC0415 - slow to import

    names = ("arrivals", "hours", "load", "lifetimes", "mean_lifetime_h", "wave", "grouped", "flavors")
    made_up = {name: given[name] for name in names if given[name] is not None}
    sources = [name for name in ("trace", "azure") if given[name]] + list(made_up)[:1]
    if len(sources) > 1 and (given["trace"] or given["azure"]):
        wrong = " and ".join(f"--{name.replace('_', '-')}" for name in sources)
        raise CliError(f"{wrong} do not go together.", next_step="name one source of arrivals", exit_code=USAGE)
    if given["trace"]:
        arrivals = trace.read_trace(given["trace"], given["limit"])
    elif given["azure"]:
        part = azure.Part(seed=seed, **{name: given[name] for name in ("machine", "priority", "limit", "share")})
        found = azure.convert(given["azure"], groups[0], part)
        say(f"Requests for machine {found.machine}: {len(found.arrivals):,}; {found.left_out:,} run only on others.")
        arrivals = found.arrivals
    else:
        if "flavors" in made_up:
            made_up["flavors"] = generate.read_flavors(made_up["flavors"])
        arrivals = generate.generate(generate.Workload(**made_up), groups, seed)
    if given["write_trace"]:
        trace.write_trace(given["write_trace"], arrivals)
    return arrivals


def _teller(tell: Progress, arrivals: int) -> Callable[[str, int, int], None]:
    """Progress: each hundredth on a terminal, each policy elsewhere."""
    every = max(1, arrivals // 100) if on_terminal() else arrivals

    def told(policy: str, done: int, failed: int) -> None:
        if done % every == 0 or done == arrivals:
            tell(f"{policy}: {done:,} of {arrivals:,} arrivals, {failed:,} not placed")

    return told


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as wrong:
        raise CliError(f"{path} cannot be written: {wrong.strerror}.") from wrong
    say(f"The report is in {path}.")


def _print(report: Report, output: str) -> None:
    if output in ("json", "yaml"):
        import msgspec  # noqa: PLC0415 - only here

        print_facts(msgspec.to_builtins(report), output)
        return
    largest = report.flavors[0].name
    print_rows([_row(one, largest) for one in report.policies], output, columns=_COLUMNS)


def _row(one: PolicyReport, largest: str) -> dict[str, Any]:
    return {
        "id": one.policy, "policy": one.policy, "placed": one.placed, "failed": one.failed,
        "hosts_in_use": f"{one.mean.hosts_in_use:.1f}", "density_vcpus": f"{one.mean.density['vcpus']:.3f}",
        "density_ram": f"{one.mean.density['ram']:.3f}", "fragmentation": f"{one.mean.fragmentation[largest]:.3f}",
        "imbalance_vcpus": f"{one.mean.imbalance['vcpus']:.3f}", "p50_ms": f"{one.decisions.p50_ms:.3f}",
        "p99_ms": f"{one.decisions.p99_ms:.3f}",
    }  # fmt: skip


@contextmanager
def _said() -> Iterator[None]:
    """What is wrong with the input, as a command says it."""
    from kilonova.domain.errors import Rejected  # noqa: PLC0415 - slow to import

    try:
        yield
    except Rejected as wrong:
        raise CliError(wrong.message, next_step=wrong.next_step, exit_code=USAGE) from wrong
