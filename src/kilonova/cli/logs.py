"""`kilonova logs`: a server's console log, and what it goes on to say. It is the guest's text: harmless unless asked for raw."""

from __future__ import annotations

import re
import time
from typing import Any

import click

from kilonova.cli import choose
from kilonova.cli.client import ApiError, Client, connect
from kilonova.cli.talk import put_lines, put_raw

_PAUSE_S = 0.5
_OVERLAP = 400
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")  # of the many that boots are full of; without them a log reads as it was meant
_LINE_END = re.compile(r"\r+\n|\r")


@click.command()
@click.argument("server")
@click.option("-n", "--lines", type=click.IntRange(1), metavar="N", help="Only the last N lines.")
@click.option("-f", "--follow", is_flag=True, help="Go on until the server is gone, or Ctrl-C.")
@click.option(
    "--raw", is_flag=True, help="As the guest wrote it, escape sequences and all: your terminal will obey them."
)
def logs(server: str, lines: int | None, follow: bool, raw: bool) -> None:  # noqa: FBT001 - options of click's
    """Print a server's console log; what would steer a terminal is shown as text."""
    show = put_raw if raw else put_readable
    with connect() as client:
        ident = choose.server(client, server)["id"]
        said = _console(client, ident, lines) or ""
        show(said if said.endswith("\n") or not said else f"{said}\n")
        if not follow:
            return
        said = _console(client, ident, None) or said
        while (now := _console(client, ident, None)) is not None:
            show(news(said, now))
            said = now
            time.sleep(_PAUSE_S)


def put_readable(said: str) -> None:
    """Print some of a log without colours, with plain line ends and with every other control character shown."""
    put_lines(_LINE_END.sub("\n", _COLOUR.sub("", said)), nl=False)


def news(before: str, now: str) -> str:
    """What a log says now that it did not before. A log keeps only its end, so the old end is looked for in the new log."""
    if now.startswith(before):
        return now[len(before) :]
    end = before[-_OVERLAP:]
    at = now.rfind(end)
    return now[at + len(end) :] if at >= 0 else now


def _console(client: Client, ident: str, lines: int | None) -> str | None:
    """The log; None when the server is gone."""
    asked: dict[str, Any] = {"os-getConsoleOutput": {} if lines is None else {"length": lines}}
    try:
        return str(client.call("compute", "POST", f"/servers/{ident}/action", body=asked)["output"] or "")
    except ApiError as refused:
        if refused.status == 404:
            return None
        raise
