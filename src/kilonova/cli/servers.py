"""`kilonova ps`, `show`, `wait` and `delete`."""

from __future__ import annotations

import click

from kilonova.cli import choose
from kilonova.cli.client import connect
from kilonova.cli.errors import USAGE, CliError
from kilonova.cli.facts import server_facts
from kilonova.cli.output import output_option, print_facts, print_rows
from kilonova.cli.talk import progress, put, say
from kilonova.cli.waiting import GOALS, wait_for

_COLUMNS = ("id", "name", "status", "task", "addresses", "flavor", "created")
_TIMEOUT = click.option(
    "--timeout", type=click.FloatRange(0), default=300.0, metavar="SECONDS", show_default=True, help="How long."
)


@click.command()
@click.option("-a", "--all", "all_projects", is_flag=True, help="Every project's (administrators only).")
@output_option
def ps(all_projects: bool, output: str) -> None:  # noqa: FBT001 - an option of click's
    """List servers."""
    with connect() as client:
        listed = client.pages("compute", "/servers/detail", "servers", all_tenants="1" if all_projects else None)
        rows = [server_facts(one) for one in listed]
    extra = ("host", "project_id") if all_projects else ()
    print_rows(rows, output, columns=(*_COLUMNS, *extra))


@click.command()
@click.argument("server")
@output_option
def show(server: str, output: str) -> None:
    """Show a server."""
    with connect() as client:
        print_facts(server_facts(choose.server(client, server)), output)


@click.command()
@click.argument("server")
@click.option("--for", "goal", type=click.Choice(GOALS), default="active", show_default=True, help="What to wait for.")
@_TIMEOUT
@output_option
def wait(server: str, goal: str, timeout: float, output: str) -> None:
    """Wait for a server to be active, have an address, answer ssh, or be gone."""
    with connect() as client, progress(f"Waiting for {server} …") as tell:
        try:
            ident = choose.server(client, server)["id"]
        except CliError:
            if goal == "deleted":
                return
            raise
        found = wait_for(client, [ident], goal, timeout, tell)
    for one in found:
        print_facts(server_facts(one), output)


@click.command()
@click.argument("servers", nargs=-1, required=True)
@click.option("--wait/--no-wait", "waits", default=True, help="Wait until they are gone (default), or not.")
@_TIMEOUT
def delete(servers: tuple[str, ...], waits: bool, timeout: float) -> None:  # noqa: FBT001 - an option of click's
    """Delete servers. All names are looked up before any is deleted: a wrong one deletes nothing."""
    with connect() as client:
        found = {one["id"]: one["name"] for one in (choose.server(client, ref) for ref in servers)}
        if len(found) < len(set(servers)):
            raise CliError("A server was named twice.", next_step="kilonova ps", exit_code=USAGE)
        for ident in found:
            client.call("compute", "DELETE", f"/servers/{ident}")
        if waits:
            with progress(f"Deleting {', '.join(found.values())} …") as tell:
                wait_for(client, found, "deleted", timeout, tell)
    for ident, name in found.items():
        say(f"{name} is {'gone' if waits else 'being deleted'}")
        put(ident)
