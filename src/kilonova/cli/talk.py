"""
All that is said: data on stdout, talk on stderr, in colour and with a spinner only on a terminal; no talk with --quiet.

Names, metadata, faults and console logs are other people's text, and a terminal obeys what is in text: escape sequences move the
cursor, set titles and answer back, an override of the writing direction shows what is not there. So everything goes through
`put_lines`, which shows control characters as what they are; `harmless` does that for a text that has one line of its own (a
name with a line break in it must not make a row of a table). JSON needs neither: in it such characters are escaped, and it
stays exact.
"""

from __future__ import annotations

import os
import re
import sys
import unicodedata
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import IO, Any, Protocol

import click

_JOINERS = "\u200c\u200d"  # how letters of a script, and emoji, are joined: no harm in them
_UNSEEN = ("Cc", "Cf", "Cs", "Zl", "Zp")  # controls, formatting, lone surrogates, separators of lines and paragraphs
_HARMLESS = re.compile(r"[ -~\n\t]*\Z")


def harmless(text: str) -> str:
    r"""The text on one line, with characters that a terminal would obey shown as escapes: `\x1b`, `\u202e`, `\n`."""
    return "".join(_seen(one) for one in text)


def harmless_lines(text: str) -> str:
    """As `harmless`, but line breaks and tabs stay what they are."""
    return text if _HARMLESS.match(text) else "".join(one if one in "\n\t" else _seen(one) for one in text)


def harmless_values(value: Any) -> Any:
    """A document with every text in it harmless."""
    if isinstance(value, str):
        return harmless(value)
    if isinstance(value, Mapping):
        return {harmless_values(name): harmless_values(one) for name, one in value.items()}
    return [harmless_values(one) for one in value] if isinstance(value, list | tuple) else value


def _seen(one: str) -> str:
    if " " <= one <= "~" or unicodedata.category(one) not in _UNSEEN or one in _JOINERS:
        return one
    return ascii(one)[1:-1]


def put(text: str, *, err: bool = False) -> None:
    """Print one line."""
    put_lines(harmless(text), err=err)


def put_lines(text: str, *, file: IO[Any] | None = None, err: bool = False, nl: bool = True, **style: Any) -> None:
    """
    Print text that may have several lines, in the given style (click's): whatever of others is in it has been made `harmless`, or
    may have lines of its own. Nothing in this room prints but this and `put_raw`.
    """
    plain = harmless_lines(text)
    click.echo(click.style(plain, **style) if style else plain, file=file, err=err, nl=nl)


def put_raw(text: str) -> None:
    """Print text as it is, for who asked for it."""
    click.echo(text, nl=False)


def quiet() -> bool:
    """Whether the user asked for silence."""
    ctx = click.get_current_context(silent=True)
    return bool(ctx and ctx.find_root().params.get("quiet"))


def say(text: str) -> None:
    """A line of talk."""
    if not quiet():
        put(text, err=True)


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

        with Console(stderr=True).status(escape(harmless(first))) as status:
            yield lambda text: status.update(escape(harmless(text)))
    else:
        said = [first]
        say(first)

        def tell(text: str) -> None:
            if text != said[0]:
                said[0] = text
                say(text)

        yield tell
