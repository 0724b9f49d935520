"""`kilonova boot`: Nova's classic boot command, which picks what was not said, waits, and ends with the ssh line."""

from __future__ import annotations

import time
from typing import Any

import click

from kilonova.cli import boot_options as parse
from kilonova.cli import choose, hostkeys
from kilonova.cli.client import MICROVERSION, Client, connect
from kilonova.cli.facts import server_facts, way_in
from kilonova.cli.keys import is_simulated, login_name, private_key, ssh_line
from kilonova.cli.output import output_option, print_facts, print_rows
from kilonova.cli.talk import progress, say
from kilonova.cli.waiting import wait_for
from kilonova.cli.ways import space_of, ssh_options

_FILES_UNTIL = "2.56"  # the last microversion that takes files
COLUMNS = ("id", "name", "status", "addresses", "flavor", "host")


class BootCommand(click.Command):
    """`--config-drive` may stand alone or have a value, as Nova's did; only these words are its value."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Join the option with its value before click sees either."""
        return super().parse_args(ctx, join_config_drive(args))


def join_config_drive(args: list[str]) -> list[str]:
    """`--config-drive true` and `--config-drive` as `--config-drive=true`."""
    joined: list[str] = []
    for word in args:
        if joined and joined[-1] == "--config-drive":
            is_value = word.lower() in ("true", "false", "1", "0", "yes", "no", "none")
            joined[-1:] = [f"--config-drive={word if is_value else 'true'}", *([] if is_value else [word])]
        else:
            joined.append(word)
    return [f"{word}=true" if word == "--config-drive" else word for word in joined]


@click.command(cls=BootCommand)
@click.argument("name")
@click.option("--image", metavar="NAME_OR_ID", help="What to boot from; without it: the only image there is.")
@click.option(
    "--image-with", metavar="KEY=VALUE", multiple=True, help="The newest image with this property (repeatable)."
)
@click.option("--flavor", metavar="NAME_OR_ID", help="Its size; without it: the smallest that the image fits in.")
@click.option("--num-instances", type=int, hidden=True)
@click.option("--min-count", type=int, metavar="N", help="Boot at least so many, or none.")
@click.option("--max-count", type=int, metavar="N", help="Boot at most so many.")
@click.option("--meta", metavar="KEY=VALUE", multiple=True, help="Metadata that the guest can read (repeatable).")
@click.option("--file", "files", metavar="DST=SRC", multiple=True, help="A file to put into the guest (five at most).")
@click.option("--key-name", metavar="NAME", help="The key pair to log in with; without it: the only one there is.")
@click.option("--user-data", metavar="FILE", help="What the guest runs at its first start.")
@click.option("--availability-zone", metavar="ZONE", help="Where to run; administrators may say ZONE:HOST:NODE.")
@click.option("--security-groups", metavar="A,B", help="Names of security groups, parted by commas.")
@click.option(
    "--nic",
    "nics",
    metavar="net-id=…|net-name=…|port-id=…[,v4-fixed-ip=…]",
    multiple=True,
    help="An interface (repeatable); or auto, or none.",
)
@click.option(
    "--hint", "hints", metavar="KEY=VALUE", multiple=True, help="For the scheduler; repeated keys become lists."
)
@click.option("--config-drive", metavar="[true|false]", help="Give the guest a drive with its metadata.")
@click.option("--poll/--no-wait", default=True, help="Wait until it is active (default), or not.")
@click.option(
    "--timeout", type=click.FloatRange(0), default=300.0, metavar="SECONDS", show_default=True, help="How long to wait."
)
@output_option
def boot(name: str, output: str, poll: bool, timeout: float, **options: Any) -> None:  # noqa: FBT001 - options of click's
    """Boot servers and wait for them."""
    began = time.monotonic()
    body = parsed(name, options)
    with connect() as client:
        server = body["server"]
        resolve(client, server, options)
        ids = create(client, body)
        if not poll:
            print_created([client.get("compute", f"/servers/{one}")["server"] for one in ids], output)
            return
        with progress(f"{name}: asked for") as show:
            try:
                servers = wait_for(client, ids, "active", timeout, show)
            except KeyboardInterrupt:
                say(f"Still building: kilonova wait {name}")
                raise
        say(f"{len(servers)} active after {time.monotonic() - began:.1f} s")
        print_created(servers, output)
        for one in servers:
            say_way_in(client, one)


def parsed(name: str, options: dict[str, Any]) -> dict[str, Any]:
    """The body of the create, as far as it hangs on what was said alone. Raises WrongUsage."""
    if options["image"] and options["image_with"]:
        raise parse.WrongUsage("--image and --image-with both say what to boot from: say only one of them.")
    parse.pairs("--image-with", options["image_with"])
    least, most = parse.counts(options["num_instances"], options["min_count"], options["max_count"])
    if options["num_instances"] is not None:
        say("--num-instances is deprecated: say --max-count.")
    groups = [one.strip() for one in (options["security_groups"] or "").split(",") if one.strip()]
    user_data = options["user_data"]
    sent: dict[str, Any] = {
        "name": name,
        "networks": parse.nics(options["nics"]),
        "min_count": least if most > 1 else None,
        "max_count": most if most > 1 else None,
        "return_reservation_id": True if most > 1 else None,
        "metadata": parse.pairs("--meta", options["meta"]),
        "personality": parse.files(options["files"]),
        "user_data": parse.encoded("--user-data", user_data) if user_data else None,
        "availability_zone": options["availability_zone"],
        "security_groups": [{"name": one} for one in dict.fromkeys(groups)],
        "config_drive": parse.truth(options["config_drive"]) or None,
    }
    hints = parse.hints(options["hints"])
    body: dict[str, Any] = {"server": {key: value for key, value in sent.items() if value not in (None, [], {})}}
    return body | ({"os:scheduler_hints": hints} if hints else {})


def resolve(client: Client, server: dict[str, Any], options: dict[str, Any]) -> None:
    """Put ids where names were said, and a choice where nothing was; each choice is told. Raises CliError."""
    image = _image(client, options)
    server["imageRef"] = image["id"]
    if options["flavor"]:
        flavor = choose.flavor(client, options["flavor"])
    else:
        flavor = choose.default_flavor(client, image)
        say(f"Flavor: {flavor['name']}, the smallest that fits")
    server["flavorRef"] = flavor["id"]
    key = _key(client, options["key_name"])
    if key is not None:
        server["key_name"] = key
    if isinstance(server["networks"], list):
        server["networks"] = [_network(client, nic) for nic in server["networks"]]


def create(client: Client, body: dict[str, Any]) -> list[str]:
    """Ask for them; gives their ids."""
    microversion = _FILES_UNTIL if "personality" in body["server"] else MICROVERSION
    made = client.call("compute", "POST", "/servers", body=body, microversion=microversion)
    if "reservation_id" in made:
        listed = client.pages("compute", "/servers", "servers", reservation_id=made["reservation_id"])
        return sorted((one["id"] for one in listed), key=str)
    return [made["server"]["id"]]


def print_created(servers: list[dict[str, Any]], output: str) -> None:
    """One as facts, several as rows."""
    if len(servers) == 1:
        print_facts(server_facts(servers[0]), output)
    else:
        print_rows([server_facts(one) for one in servers], output, columns=COLUMNS)


def say_way_in(client: Client, server: dict[str, Any]) -> None:
    """The exact ssh line; why there is none, when there is none."""
    if is_simulated(client):
        say(f"{server['name']} is simulated: there is nothing to log in to. Next: kilonova logs {server['id']}")
        return
    address = way_in(server)
    if address is None:
        say(f"{server['name']} has no address. Next: kilonova logs {server['id']}")
        return
    if not server.get("key_name"):
        say("Booted without a key pair, so it may let nobody in. Next time: --key-name NAME")
    options = (*hostkeys.options(client, server), *ssh_options(space_of(client, server, address)))
    say(ssh_line(login_name(client, server), address, private_key(client, server), options))


def _image(client: Client, options: dict[str, Any]) -> dict[str, Any]:
    if options["image"]:
        return choose.image(client, options["image"])
    if options["image_with"]:
        image, matching = choose.image_with(client, parse.pairs("--image-with", options["image_with"]))
        say(
            f"Image: {image['name'] or image['id']}"
            + (f", the newest of {matching} that match" if matching > 1 else "")
        )
        return image
    image = choose.default_image(client)
    say(f"Image: {image['name'] or image['id']}, the only one")
    return image


def _key(client: Client, wanted: str | None) -> str | None:
    if wanted:
        return choose.key_name(client, wanted)
    known = choose.key_names(client)
    if len(known) != 1:
        return None
    say(f"Key pair: {known[0]}, the only one")
    return known[0]


def _network(client: Client, nic: parse.Nic) -> dict[str, str]:
    network = nic.net_id or (choose.network_id(client, nic.net_name) if nic.net_name else None)
    wanted = {"port": nic.port_id, "uuid": network, "fixed_ip": nic.fixed_ip, "tag": nic.tag}
    return {key: value for key, value in wanted.items() if value}
