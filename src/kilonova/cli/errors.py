"""What goes wrong at the command line: what, why, one command to run next, and an exit code that a script can tell apart."""

from __future__ import annotations

from typing import IO, Any

import click

from kilonova.cli.talk import harmless, put_lines

FAILED, USAGE, NOT_FOUND, TIMED_OUT, NO_CAPACITY = 1, 2, 3, 4, 5


class CliError(click.ClickException):
    """An error for a person. `what` failed and why, and the command or change that helps."""

    def __init__(self, what: str, *, next_step: str = "", exit_code: int = FAILED) -> None:
        super().__init__(what)
        self.next_step = next_step
        self.exit_code = exit_code  # type: ignore[misc]  # click reads it from the instance, and calls it the class's

    def show(self, file: IO[Any] | None = None) -> None:
        """Say it on stderr: stdout is for data."""
        put_lines("Error: ", fg="red", bold=True, nl=False, err=True, file=file)
        # Marked, so that no line of a message that came from elsewhere passes for the next step.
        put_lines("\n  | ".join(harmless(line) for line in self.message.split("\n")), err=True, file=file)
        if self.next_step:
            put_lines(f"  Next: {harmless(self.next_step)}", err=True, file=file)


class NotFound(CliError):
    """Nothing has that name or id. `known` are the names there are, for a guess at what was meant."""

    def __init__(self, kind: str, ref: str, known: list[str], *, next_step: str = "") -> None:
        super().__init__(
            f"There is no {kind} {ref!r}.{did_you_mean(ref, known)}", next_step=next_step, exit_code=NOT_FOUND
        )


class Ambiguous(CliError):
    """A name that several things have."""

    def __init__(self, kind: str, ref: str, ids: list[str]) -> None:
        super().__init__(
            f"{len(ids)} {kind}s are called {ref!r}: {', '.join(ids)}.",
            next_step="say which by its id",
            exit_code=USAGE,
        )


def did_you_mean(ref: str, known: list[str]) -> str:
    """A sentence that names what is close to `ref`, or else a few of what there is."""
    import difflib  # noqa: PLC0415 - only when something went wrong

    close = difflib.get_close_matches(ref, known, n=3, cutoff=0.5)
    if close:
        return f" Did you mean {' or '.join(repr(name) for name in close)}?"
    return f" There is: {', '.join(sorted(known)[:8])}." if known else ""
