"""`kilonova ssh`: find a server's address and key, and become ssh."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import click

from kilonova.cli import choose, hostkeys
from kilonova.cli.client import connect
from kilonova.cli.errors import CliError
from kilonova.cli.facts import way_in
from kilonova.cli.keys import is_simulated, login_name, private_key, ssh_command
from kilonova.cli.ways import space_of, ssh_options


@click.command(context_settings={"ignore_unknown_options": True})
@click.argument("server")
@click.argument("command", nargs=-1, type=click.UNPROCESSED)
@click.option("-l", "--login", metavar="USER", help="Who to log in as; default: as the image says, else root.")
@click.option(
    "-i",
    "--identity",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="The private key; default: found.",
)
@click.option(
    "--new-host-key", is_flag=True, help="Forget the host key that is known of it, and take the one it has now."
)
def ssh(
    server: str,
    command: tuple[str, ...],
    login: str | None,
    identity: Path | None,
    new_host_key: bool,  # noqa: FBT001 - an option of click's
) -> None:
    """
    Log in to a server, or run a command there: `kilonova ssh NAME -- uname -a`.

    Its host key is learnt from its console log where it is printed there, and kept; one that changes is refused.
    """
    program = shutil.which("ssh")
    if program is None:
        raise CliError("There is no ssh on this machine.", next_step="apt-get install -y openssh-client")
    with connect() as client:
        found = choose.server(client, server)
        if found["status"] != "ACTIVE":
            raise CliError(
                f"Server {found['name']} is {found['status']}.", next_step=f"kilonova wait {found['id']} --for ssh"
            )
        if is_simulated(client):
            raise CliError(
                f"Server {found['name']} is simulated: there is nothing to log in to.",
                next_step=f"kilonova logs {found['id']}",
            )
        address = way_in(found)
        if address is None:
            raise CliError(f"Server {found['name']} has no address.", next_step=f"kilonova logs {found['id']}")
        key = identity or private_key(client, found)
        options = hostkeys.options(client, found, take_new=new_host_key)
        options += ssh_options(space_of(client, found, address))
        words = ssh_command(login or login_name(client, found), address, key, options)
    os.execv(program, [*words, *command])  # noqa: S606 - to become ssh is the point
