"""`kilonova keys`: what tokens are sealed with, and what wraps that."""

from __future__ import annotations

import click

from kilonova.cli.client import connect
from kilonova.cli.output import output_option, print_rows
from kilonova.cli.talk import put, say

_COLUMNS = ("purpose", "created_at", "state", "wrapped")


@click.group()
def keys() -> None:
    """The keys that tokens are sealed with (administrators only). They lie wrapped in the database: see docs/security.md."""


@keys.command("list")
@output_option
def list_keys(output: str) -> None:
    """List them, newest first; never the keys themselves."""
    with connect() as client:
        print_rows(client.get("kilonova", "/keys")["keys"], output, columns=_COLUMNS)


@keys.command()
@output_option
def rotate(output: str) -> None:
    """Make a new key, and wrap all anew. The cloud goes on, and tokens given out stay good."""
    with connect() as client:
        found = client.call("kilonova", "POST", "/keys/rotate")["keys"]
    print_rows(found, output, columns=_COLUMNS)
    say("The new key seals in five minutes, once every process knows it.")


@keys.command()
def new() -> None:
    """Print a new wrapping key, a line of the file that [keys] file names."""
    from cryptography.fernet import Fernet  # noqa: PLC0415 - no other command needs it

    put(Fernet.generate_key().decode())
