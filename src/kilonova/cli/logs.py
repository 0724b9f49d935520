"""
`kilonova logs`: a server's console log, or the cloud's own, and what it goes on to say.

It is the guest's text, or quotes strangers': harmless unless asked for raw.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import click

from kilonova.cli import choose, process
from kilonova.cli.client import ApiError, Client, connect
from kilonova.cli.cloud_log import following, last_lines
from kilonova.cli.errors import CliError
from kilonova.cli.places import chosen_data_dir
from kilonova.cli.talk import put_lines, put_raw

_PAUSE_S = 0.5
_OVERLAP = 400
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")  # of the many that boots are full of; without them a log reads as it was meant
_LINE_END = re.compile(r"\r+\n|\r")


@click.command()
@click.argument("server", required=False)
@click.option("-n", "--lines", type=click.IntRange(1), metavar="N", help="Only the last N lines.")
@click.option("-f", "--follow", is_flag=True, help="Go on until the server is gone, or Ctrl-C.")
@click.option(
    "--raw", is_flag=True, help="As the guest wrote it, escape sequences and all: your terminal will obey them."
)
def logs(server: str | None, lines: int | None, follow: bool, raw: bool) -> None:  # noqa: FBT001 - options of click's
    """
    Print a server's console log, or without SERVER that of this machine's cloud; what would steer a terminal is shown as text.
    """
    show = put_raw if raw else put_readable
    if server is None:
        _show_cloud(lines, show, follow=follow)
        return
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


def _show_cloud(lines: int | None, show: Callable[[str], None], *, follow: bool) -> None:
    path = process.log_file(chosen_data_dir(None))
    if not path.exists():
        raise CliError(f"There is no log {path}.", next_step="kilonova up   # or: journalctl -u 'kilonova-*'")
    show(last_lines(path, lines))
    if follow:
        for said in following(path, partial(time.sleep, _PAUSE_S)):
            show(said)


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
