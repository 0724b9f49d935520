"""The lanes: a test's folder says what it needs, so no test has to mark itself."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

# A busy machine is no failure: nothing here is judged by its time.
settings.register_profile("house", deadline=None)
settings.load_profile("house")

TESTS = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.is_relative_to(TESTS / "system"):
            item.add_marker(pytest.mark.system)


def _leave_databases_to_sqlite(event: str, arguments: tuple[Any, ...]) -> None:
    """
    A file that SQLite has open is opened by nobody else in its process: closing it would drop SQLite's locks.

    A write-ahead log beside it tells such a file. SQLite itself opens files without Python's knowing.
    """
    if event == "open" and isinstance(arguments[0], str | os.PathLike):
        path = Path(arguments[0])
        if path.suffix == ".db" and path.with_name(f"{path.name}-wal").exists():
            raise AssertionError(f"{path} is opened while SQLite may have it open")


sys.addaudithook(_leave_databases_to_sqlite)
