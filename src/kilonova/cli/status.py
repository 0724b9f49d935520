"""`kilonova status` and `kilonova audit`: is it up, what is it made of, is anything there that should not be."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from kilonova.cli import process
from kilonova.cli.client import connect, local_client
from kilonova.cli.errors import FAILED, CliError
from kilonova.cli.output import output_option, print_facts, shown
from kilonova.cli.places import DATA_DIR_OPTION, chosen_data_dir, command_for
from kilonova.cli.talk import put, say
from kilonova.cli.up import load


@click.command()
@DATA_DIR_OPTION
@output_option
def status(data_dir: Path | None, output: str) -> None:
    """What the cloud of this machine is made of and how it fares. Exit code 1 when it is not up."""
    folder = chosen_data_dir(data_dir)
    settings = load(folder)
    if settings is None:
        raise CliError(
            f"There is no cloud in {folder}.", next_step=command_for(folder, "kilonova up   # or: kilonova up --sim")
        )
    pid = process.running(folder)
    facts: dict[str, Any] = {
        "state": "up" if pid else "down",
        "url": settings.base_url,
        "pid": pid,
        "data_dir": str(folder),
    }
    reconcilers: list[dict[str, Any]] = []
    asked: dict[str, dict[str, int]] = {}
    if pid is not None:
        with local_client(folder) as client:
            told = client.get("kilonova", "/status")["status"]
        reconcilers = told["reconcilers"]
        asked = told["load"]
        facts |= {"version": told["version"], **told["chosen"], "guessed": ", ".join(told["guessed"])}
    if output == "table":
        print_facts({name: value for name, value in facts.items() if value}, output)
        _print_reconcilers(reconcilers)
        _print_load(asked)
    else:
        print_facts(facts | {"reconcilers": reconcilers, "load": asked}, output)
    if pid is None:
        say(f"The cloud is not up. Next: {command_for(folder, 'kilonova up')}")
        raise SystemExit(FAILED)


@click.command()
@output_option
def audit(output: str) -> None:
    """Count what should not exist: zero is the only good answer. Exit code 1 for any other."""
    with connect() as client:
        report = client.get("kilonova", "/audit")["audit"]
    if output == "table":
        print_facts({**report["counts"], "total": report["total"]}, output)
        for kind, things in report["orphans"].items():
            say(f"{kind}: {', '.join(things)}")
    else:
        print_facts(report, output)
    for host in report["silent_hosts"]:
        say(f"Host {host} did not answer; what it has was not counted.")
    if report["total"] or report["silent_hosts"]:
        raise SystemExit(FAILED)


def _print_load(load: dict[str, dict[str, int]]) -> None:
    """A line for each kind of thing that clients were refused, or had to wait for: nothing where all is well."""
    for kind, counts in load.items():
        trouble = {what: count for what, count in counts.items() if count and what not in ("open", "inside", "limit")}
        if trouble:
            put(f"{kind}: {shown(trouble)}")


def _print_reconcilers(reconcilers: list[dict[str, Any]]) -> None:
    """A line for each: when it last ran, what it did or why it failed."""
    for one in reconcilers:
        did = f"failed: {shown(one['error'])}" if one["error"] else f"did {shown(one['did'])}"
        put(f"{shown(one['name'])}: last ran {shown(one['last_run_at'])}, {did}")
