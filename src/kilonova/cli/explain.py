"""`kilonova explain` and `kilonova place`: why a server is where it is, or nowhere, and where one would go."""

from __future__ import annotations

from typing import Any

import click

from kilonova.cli import boot_options as parse
from kilonova.cli import choose
from kilonova.cli.client import Client, connect
from kilonova.cli.errors import NO_CAPACITY, NotFound
from kilonova.cli.output import output_option, print_facts
from kilonova.cli.talk import say

_MOST = 100


@click.command()
@click.argument("server")
@output_option
def explain(server: str, output: str) -> None:
    """
    Say why a server is where it is, or nowhere: what each filter removed and why, and which hosts were best.

    Names of hosts are shown to administrators. A server that is gone can still be asked about by its id.
    """
    with connect() as client:
        found = _found(client, server)
        placement = client.get("kilonova", f"/servers/{found['id']}/placement")["placement"]
    host = found.get("OS-EXT-SRV-ATTR:host")
    _show(f"{found['name']} is {found['status']}" + (f" on {host}" if host else ""), placement, output)
    fault = (found.get("fault") or {}).get("message")
    if fault and fault != placement["message"]:
        say(f"Its fault: {fault}")


@click.command()
@click.option("--flavor", metavar="NAME_OR_ID", help="Its size; without it: the smallest that the image fits in.")
@click.option("--image", metavar="NAME_OR_ID", help="What it would boot from; without it: the only image there is.")
@click.option("--availability-zone", metavar="ZONE", help="Where; administrators may say ZONE:HOST:NODE.")
@click.option("--hint", "hints", metavar="KEY=VALUE", multiple=True, help="As for boot; repeated keys become lists.")
@click.option(
    "--count", type=click.IntRange(1, _MOST), default=1, show_default=True, help="So many, one after another."
)
@output_option
def place(output: str, **options: Any) -> None:
    """
    Ask where servers would go, without booting any. Quotas are not looked at.

    Exit code 5 when no host could take them.
    """
    hints = parse.hints(options["hints"])
    with connect() as client:
        body = {"placement": _wanted(client, options)} | ({"os:scheduler_hints": hints} if hints else {})
        placement = client.call("kilonova", "POST", "/placement", body=body)["placement"]
    _show(_answer(placement, options["count"]), placement, output)
    if not placement["found"]:
        click.get_current_context().exit(NO_CAPACITY)


def _found(client: Client, ref: str) -> dict[str, Any]:
    """The server; as much as is known of one that may be gone."""
    try:
        return choose.server(client, ref)
    except NotFound:
        if not choose.is_id(ref):
            raise
        return {"id": ref, "name": ref, "status": "gone"}


def _wanted(client: Client, options: dict[str, Any]) -> dict[str, Any]:
    image = choose.image(client, options["image"]) if options["image"] else choose.default_image(client)
    chosen = options["flavor"]
    flavor = choose.flavor(client, chosen) if chosen else choose.default_flavor(client, image)
    said = [] if options["image"] else [f"image {image['name'] or image['id']}, the only one"]
    said += [] if chosen else [f"flavor {flavor['name']}, the smallest that fits"]
    if said:
        say(f"Meant: {'; '.join(said)}")
    wanted = {"flavorRef": flavor["id"], "imageRef": image["id"], "count": options["count"]}
    zone = options["availability_zone"]
    return wanted | ({"availability_zone": zone} if zone else {})


def _answer(placement: dict[str, Any], count: int) -> str:
    found = len(placement["hosts"])
    if count == 1:
        name = placement["hosts"][0].get("host") if found else None
        return ("It would go to " + (name or "a host")) if found else "It would go nowhere"
    return f"{found} of {count} would find a host"


def _show(title: str, placement: dict[str, Any], output: str) -> None:
    if output != "table":
        print_facts(placement, output)
        return
    from kilonova.cli.explanation import print_placement  # noqa: PLC0415 - rich is slow to import

    print_placement(title, placement)
