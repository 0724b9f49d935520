"""A SQLite database copied while it is in use, and looked through once it is copied."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

_WAIT_S = 60.0


def copy(source: Path, target: Path) -> None:
    """
    Make `target` what `source` is at one moment, whoever writes to that meanwhile; nobody waits for it.

    By SQLite's own backup, as a client of its own: a file of SQLite's must be opened by nothing else (`database.py`). Raises
    sqlite3.Error.
    """
    target.unlink(missing_ok=True)
    uri = f"{source.absolute().as_uri()}?mode=rw"  # or a missing one would be made
    with (
        closing(sqlite3.connect(uri, uri=True, timeout=_WAIT_S)) as origin,
        closing(sqlite3.connect(target)) as made,
    ):
        origin.backup(made)


def damage(path: Path) -> str:
    """What is wrong with a database that nobody uses, in words; "" when nothing is."""
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=rw", uri=True)) as database:
            (found,) = database.execute("PRAGMA integrity_check(1)").fetchone()
            orphan = database.execute("PRAGMA foreign_key_check").fetchone()
    except sqlite3.Error as broken:
        return str(broken)
    if found != "ok":
        return str(found)
    return f"a row of {orphan[0]} names a row of {orphan[2]} that is not there" if orphan else ""
