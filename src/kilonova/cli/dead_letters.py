"""
`kilonova dead-letters`: the messages of a fleet that nobody could take.

It talks to the broker itself and not to the API: when messages die, the API may be what has to be mended.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from kilonova.cli.config import CONFIG_OPTION, explained
from kilonova.cli.errors import FAILED, NOT_FOUND, CliError
from kilonova.cli.output import output_option, print_facts, print_rows
from kilonova.cli.talk import put, say

if TYPE_CHECKING:
    from kilonova.rpc.amqp.deadletters import DeadLetter, DeadLetters

_COLUMNS = ("id", "type", "topic", "sender", "died_at", "why")
_ID_SHOWN, _WHY_SHOWN = 12, 70

Command = Callable[..., Any]


def _letter_options(command: Command) -> Command:
    command = CONFIG_OPTION(command)
    return click.option(
        "--bus", "bus_url", metavar="URL", envvar="KILONOVA_BUS_URL", help="The bus itself, in place of the settings'."
    )(command)


def _which(command: Command) -> Command:
    command = click.option("--all", "every", is_flag=True, help="All there are.")(command)
    return click.argument("ids", nargs=-1, metavar="[ID]...")(command)


@click.group(name="dead-letters")
def dead_letters() -> None:
    """
    Messages that could not be read, that their sender may not send, or whose handler failed again and again.

    Nothing waits for them: the cloud heals by its records. They are kept to be looked at, and replayed when the cause is mended.
    """


@dead_letters.command("list")
@_letter_options
@output_option
def list_letters(config_file: Path, bus_url: str | None, output: str) -> None:
    """List them, oldest first."""
    with _letters(config_file, bus_url) as letters:
        found = letters.every()
    rows = [_row(letter) for letter in found]
    if output == "table":
        rows = [{**row, "id": row["id"][:_ID_SHOWN], "why": _short(row["why"])} for row in rows]
    print_rows(rows, output, columns=_COLUMNS)


@dead_letters.command()
@click.argument("id_", metavar="ID")
@_letter_options
@output_option
def show(id_: str, config_file: Path, bus_url: str | None, output: str) -> None:
    """Show one, with what it says. The beginning of an ID is enough."""
    with _letters(config_file, bus_url) as letters:
        found = letters.get(id_)
    print_facts(_row(found), output)


@dead_letters.command()
@_which
@_letter_options
def replay(ids: tuple[str, ...], every: bool, config_file: Path, bus_url: str | None) -> None:  # noqa: FBT001 - click's
    """Send them again, each to its topic. With --all those that cannot be sent again stay."""
    chosen = _chosen(ids, every)
    with _letters(config_file, bus_url) as letters:
        _say_done("replayed", letters.replay(chosen))


@dead_letters.command()
@_which
@_letter_options
def drop(ids: tuple[str, ...], every: bool, config_file: Path, bus_url: str | None) -> None:  # noqa: FBT001 - click's
    """Throw them away for good."""
    chosen = _chosen(ids, every)
    with _letters(config_file, bus_url) as letters:
        _say_done("dropped", letters.drop(chosen))


@contextmanager
def _letters(config_file: Path, bus_url: str | None) -> Iterator[DeadLetters]:
    from kilonova.config.fleet import FleetConfig  # noqa: PLC0415 - not for --help
    from kilonova.config.load import load_config  # noqa: PLC0415 - the same
    from kilonova.domain.errors import Missing  # noqa: PLC0415 - the same
    from kilonova.rpc.amqp.deadletters import DeadLetters  # noqa: PLC0415 - the same

    with explained():
        try:
            yield DeadLetters(bus_url or load_config(FleetConfig, config_file).bus.url.reveal())
        except Missing as error:
            raise CliError(error.message, next_step=error.next_step, exit_code=NOT_FOUND) from None


def _chosen(ids: Sequence[str], every: bool) -> Sequence[str] | None:  # noqa: FBT001 - click's
    if every == bool(ids):
        raise click.UsageError("Say which: one ID or more, or --all.")
    return None if every else ids


def _row(letter: DeadLetter) -> dict[str, Any]:
    return {name: getattr(letter, name) for name in letter.__struct_fields__}


def _short(text: str) -> str:
    return text if len(text) <= _WHY_SHOWN else f"{text[: _WHY_SHOWN - 1]}…"


def _say_done(done: str, letters: Sequence[DeadLetter]) -> None:
    for letter in letters:
        put(letter.id)
    say(f"{len(letters)} {done}." if letters else f"There was nothing that could be {done}.")
    if not letters:
        raise SystemExit(FAILED)
