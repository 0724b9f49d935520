#!/usr/bin/env python3
"""Write docs/verbs.md from the table of verbs, or to stdout with `-`."""

from __future__ import annotations

import sys
from pathlib import Path

from kilonova.domain.verbs import VERBS, Verb

PATH = Path(__file__).parents[1] / "docs" / "verbs.md"
_HEAD = """# What can be done to a server

Written from `src/kilonova/domain/verbs.py` by `make verbs`. A refusal for the state is 409, names the state and those in which
the verb would work; a server is locked against the verbs that say so, except for who may override the lock.

| verb | action | microversions | policy | from vm_state | with task_state | locked | passing task_states | leads to |
|---|---|---|---|---|---|---|---|---|
"""


def text() -> str:
    """The whole document."""
    return _HEAD + "".join(_row(verb) for verb in VERBS)


def _row(verb: Verb) -> str:
    cells = (
        verb.name, f"`{verb.action}`" if verb.action else "-", f"{verb.since}-{verb.until or ''}", f"`{verb.policy}`",
        _set(verb.vm_states), _set(verb.task_states), "refused" if verb.refused_on_locked else "",
        " → ".join(dict.fromkeys(verb.tasks.values())), verb.result or "unchanged",
    )  # fmt: skip
    return f"| {' | '.join(cells)} |\n"


def _set(states: frozenset[str | None] | frozenset[str] | None) -> str:
    if states is None:
        return "any"
    return ", ".join(sorted(state or "none" for state in states)) or "-"


if __name__ == "__main__":
    if sys.argv[1:] == ["-"]:
        sys.stdout.write(text())
    else:
        PATH.write_text(text())
