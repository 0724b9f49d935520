"""`kilonova bench`: what things cost on this machine. No cloud is asked, and none has to run."""

from __future__ import annotations

import click

from kilonova.cli.output import output_option, print_facts, print_rows
from kilonova.cli.talk import say

_COLUMNS = (
    "hosts", "p50_ms", "p99_ms", "cold_p99_ms", "numpy_pass_ms", "placements_per_s", "durable_claims_per_s", "load_s",
    "memory_mib",
)  # fmt: skip


@click.group()
def bench() -> None:
    """Measure parts of a cloud on this machine."""


@bench.command()
@click.option(
    "--hosts",
    "sizes",
    type=click.IntRange(1000, 1_000_000),
    multiple=True,
    default=(1000,),
    show_default=True,
    help="How many hosts; may be said several times.",
)
@click.option("--records/--no-records", default=True, help="Whether to read as many servers from a database as well.")
@click.option("--seed", type=int, default=1, show_default=True, help="What the fleet and the requests are drawn from.")
@output_option
def scheduler(sizes: tuple[int, ...], records: bool, seed: int, output: str) -> None:  # noqa: FBT001 - an option of click's
    """
    What a scheduling decision costs.

    All default filters are on, flavors are mixed, 30% of requests have groups or traits. Warm: each decision follows a claim;
    cold: of a shape not seen before. Placements a second are in bursts of 512; claims are on SQLite, 64 in a synced commit.
    """
    import msgspec  # noqa: PLC0415 - the scheduler's columns are slow to import

    from kilonova.scheduler.bench import measure  # noqa: PLC0415 - the same

    found = []
    for count in sizes:
        say(f"Measuring with {count:,} hosts …")
        found.append(msgspec.to_builtins(measure(count, seed, with_records=records)))
    if len(found) == 1:
        print_facts(found[0], output)
    else:
        print_rows(found, output, columns=_COLUMNS)
