"""`kilonova host`: the hosts of a fleet, and how one comes in."""

from __future__ import annotations

import re
from typing import Any

import click

from kilonova.cli.client import Client, connect
from kilonova.cli.errors import NotFound
from kilonova.cli.host_join import join
from kilonova.cli.output import output_option, print_facts, print_rows
from kilonova.cli.talk import put, say

_COLUMNS = ("name", "state", "status", "zone", "servers", "vcpus", "ram_mib", "seen_at", "disabled_reason")
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_DURATION = re.compile(r"([0-9]{1,9})([smhd]?)")


class Duration(click.ParamType[int]):
    """`90s`, `30m`, `1h`, `2d`: seconds as a number."""

    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """The seconds. Fails on anything else."""
        if isinstance(value, int):
            return value
        found = _DURATION.fullmatch(str(value).strip().lower())
        if found is None:
            self.fail(f"{value!r} is not a time: write 90s, 30m, 1h or 2d.", param, ctx)
        return int(found[1]) * _UNITS[found[2] or "s"]


@click.group()
def host() -> None:
    """Hosts of a fleet: let one in, look at them, take them out of use, remove them."""


host.add_command(join)


@host.command("token")
@click.option("--host", "name", metavar="NAME", help="Good for this host only, and also to join again as it.")
@click.option(
    "--expires", type=Duration(), default="1h", show_default=True, help="How long it is good: 90s, 30m, 1h, 2d."
)
@output_option
def token(name: str | None, expires: int, output: str) -> None:
    """Make a token that lets one host join, once. It is printed now and never again."""
    with connect() as client:
        wanted = {"expires_in_s": expires, "host": name}
        made = client.call("kilonova", "POST", "/hosts/tokens", body={"token": wanted})["token"]
        url = client.url
    if output == "table":
        put(made["text"])
        say(f"Good until {made['expires_at']}. On the host: kilonova host join {url} TOKEN")
    else:
        print_facts(made, output)


@host.command("list")
@output_option
def list_hosts(output: str) -> None:
    """List hosts: whether they are up and enabled, and what they hold."""
    with connect() as client:
        rows = client.get("kilonova", "/hosts")["hosts"]
    print_rows([{**row, "id": row["name"]} for row in rows], output, columns=_COLUMNS)


@host.command()
@click.argument("name")
@click.option("--reason", required=True, metavar="TEXT", help="Why, for those who look later.")
def disable(name: str, reason: str) -> None:
    """Let no new servers go to a host. Those on it run on."""
    _switch(name, {"status": "disabled", "disabled_reason": reason})
    say(f"{name} takes no new servers: {reason}")


@host.command()
@click.argument("name")
def enable(name: str) -> None:
    """Let servers go to a host again."""
    _switch(name, {"status": "enabled"})
    say(f"{name} takes servers")


@host.command("force-down")
@click.argument("name")
@click.option("--lift", is_flag=True, help="No longer: believe its heartbeats again.")
def force_down(name: str, lift: bool) -> None:  # noqa: FBT001 - an option of click's
    """Say that a host is down, whatever is heard of it: it is surely off."""
    _switch(name, {"forced_down": not lift})
    say(f"{name} counts as {'what its heartbeats say' if lift else 'down'}")


@host.command()
@click.argument("name")
def remove(name: str) -> None:
    """Remove a host that has no servers: its record, its credential and its account on the bus."""
    with connect() as client:
        known = _find(client, name)
        client.call("kilonova", "DELETE", f"/hosts/{known['name']}")
    say(f"{name} is removed; it can join again with a new token")


@host.command()
@click.option("--sender", metavar="WHO", help="Only what this one was refused: host.NAME, or 'address IP'.")
@output_option
def refusals(sender: str | None, output: str) -> None:
    """List what hosts, and strangers who wanted to be one, were refused and why."""
    with connect() as client:
        rows = client.get("kilonova", "/hosts/refusals", sender=sender)["refusals"]
    print_rows(rows, output, columns=("last_at", "times", "sender", "what", "why", "about"))


def _switch(name: str, change: dict[str, Any]) -> None:
    with connect() as client:
        service = _find(client, name)["service_id"]
        if service is None:
            raise click.UsageError(
                f"Host {name} has joined, but its agent was not heard of yet: there is nothing to switch."
            )
        client.call("compute", "PUT", f"/os-services/{service}", body=change)


def _find(client: Client, name: str) -> dict[str, Any]:
    rows = client.get("kilonova", "/hosts")["hosts"]
    found: dict[str, Any] | None = next((row for row in rows if row["name"] == name), None)
    if found is None:
        raise NotFound("host", name, [row["name"] for row in rows], next_step="kilonova host list")
    return found
