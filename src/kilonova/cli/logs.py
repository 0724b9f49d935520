"""`kilonova logs`: a server's console log, and what it goes on to say."""

from __future__ import annotations

import time
from typing import Any

import click

from kilonova.cli import choose
from kilonova.cli.client import ApiError, Client, connect

_PAUSE_S = 0.5
_OVERLAP = 400


@click.command()
@click.argument("server")
@click.option("-n", "--lines", type=click.IntRange(1), metavar="N", help="Only the last N lines.")
@click.option("-f", "--follow", is_flag=True, help="Go on until the server is gone, or Ctrl-C.")
def logs(server: str, lines: int | None, follow: bool) -> None:  # noqa: FBT001 - an option of click's
    """Print a server's console log."""
    with connect() as client:
        ident = choose.server(client, server)["id"]
        said = _console(client, ident, lines) or ""
        click.echo(said, nl=not said.endswith("\n") and bool(said))
        if not follow:
            return
        said = _console(client, ident, None) or said
        while (now := _console(client, ident, None)) is not None:
            click.echo(news(said, now), nl=False)
            said = now
            time.sleep(_PAUSE_S)


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
