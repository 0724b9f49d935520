"""
Room on the disk that SQLite's file is on: what makes more of anything is refused while there is still room for what makes less.

PostgreSQL is elsewhere as a rule, and how much room it has is for its own people to watch; when it has none it says so.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from kilonova.domain.errors import DiskFull
from kilonova.store.database import Database

MIB = 1024 * 1024


class DatabaseRoom:
    """`reserve` are the bytes that only what exists already may take."""

    def __init__(self, db: Database, reserve: int) -> None:
        name = db.engine.url.database if db.is_sqlite else None
        self._folder = Path(name).parent if name and name != ":memory:" else None
        self._reserve = reserve

    def check(self) -> None:
        """Raise DiskFull when no more than the reserve is left."""
        if self._folder is not None and shutil.disk_usage(self._folder).free < self._reserve:
            raise DiskFull("records", kept_back=True)
