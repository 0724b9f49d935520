"""What is said to people: on stderr, in colour and with a spinner only on a terminal, not at all with --quiet."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

import click


def quiet() -> bool:
    """Whether the user asked for silence."""
    ctx = click.get_current_context(silent=True)
    return bool(ctx and ctx.find_root().params.get("quiet"))


def say(text: str) -> None:
    """A line of talk."""
    if not quiet():
        click.echo(text, err=True)


def on_terminal() -> bool:
    """Whether progress may be drawn, and redrawn."""
    return sys.stderr.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


class Progress(Protocol):
    """Where a wait stands now."""

    def __call__(self, text: str) -> None:
        """Tell it; the same text again is nothing new."""


@contextmanager
def progress(first: str) -> Iterator[Progress]:
    """A spinner whose text is replaced on a terminal; elsewhere a line whenever the text has changed."""
    if quiet():
        yield lambda _: None
    elif on_terminal():
        from rich.console import Console  # noqa: PLC0415 - slow to import
        from rich.markup import escape  # noqa: PLC0415 - the same

        with Console(stderr=True).status(escape(first)) as status:
            yield lambda text: status.update(escape(text))
    else:
        said = [first]
        say(first)

        def tell(text: str) -> None:
            if text != said[0]:
                said[0] = text
                say(text)

        yield tell
