"""A database gives back what it does not need: one that is made can, and one that an older release made learns it."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest
from sqlalchemy import text

from kilonova.store import schema, space
from kilonova.store.database import Database
from kilonova.store.tables.vacuum import HOT
from tests import databases

ROWS = 2000


def old(path: Path) -> None:
    """A file as a release before auto_vacuum made it, with 8 MB in it."""
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("CREATE TABLE large (content TEXT)")
        connection.executemany("INSERT INTO large VALUES (?)", [("x" * 4000,)] * ROWS)
    connection.close()


def mode(db: Database) -> int:
    with db.read() as tx:
        return int(tx.connection.exec_driver_sql("PRAGMA auto_vacuum").scalar_one())


def test_a_file_that_is_made_can_shrink(tmp_path: Path) -> None:
    db = Database(f"sqlite:///{tmp_path / 'new.db'}")
    schema.ensure_schema(db)
    db.close()
    with sqlite3.connect(tmp_path / "new.db") as connection:
        assert connection.execute("PRAGMA auto_vacuum").fetchone() == (2,)
    connection.close()


def test_an_old_file_is_written_anew_once_and_shrinks_from_then_on(tmp_path: Path) -> None:
    path = tmp_path / "old.db"
    old(path)
    db = Database(f"sqlite:///{path}")
    assert mode(db) == 0
    schema.ensure_schema(db)
    assert mode(db) == 2
    with db.write() as tx:
        assert tx.execute(text("SELECT count(*) FROM large")).scalar_one() == ROWS
        tx.execute(text("DELETE FROM large"))
    while space.give_back(db):
        pass
    with db.read() as tx:
        assert tx.connection.exec_driver_sql("PRAGMA freelist_count").scalar_one() <= space.KEPT_PAGES
    assert path.stat().st_size < 6_000_000
    db.close()


def test_an_old_file_that_somebody_reads_is_left_to_the_next_start(tmp_path: Path) -> None:
    path = tmp_path / "old.db"
    old(path)
    db = Database(f"sqlite:///{path}")
    with db.engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA busy_timeout=0")
    reader = sqlite3.connect(path, isolation_level=None)
    reader.execute("BEGIN IMMEDIATE")
    space.ensure_gives_back(db)
    reader.execute("ROLLBACK")
    reader.close()
    assert mode(db) == 0
    space.ensure_gives_back(db)
    assert mode(db) == 2
    db.close()


def test_a_disk_without_room_for_a_second_copy_is_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    old(tmp_path / "old.db")
    db = Database(f"sqlite:///{tmp_path / 'old.db'}")
    monkeypatch.setattr(space.shutil, "disk_usage", lambda _: space.shutil._ntuple_diskusage(10**9, 10**9, 10**6))
    space.ensure_gives_back(db)
    assert mode(db) == 0
    db.close()


def test_postgresql_looks_after_hot_tables_sooner(postgres: databases.Cluster | None) -> None:
    if postgres is None:
        pytest.skip("PostgreSQL is not installed: apt-get install postgresql")
    with postgres.database() as url:
        db = Database(url)
        with db.read() as tx:
            rows = tx.execute(text("SELECT relname FROM pg_class WHERE reloptions::text LIKE '%autovacuum_vacuum%'"))
            assert set(rows.scalars()) == set(HOT)
        db.close()
