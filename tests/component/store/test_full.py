"""A database without room says so, in one way on both engines; reading goes on, and writing does once there is room."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import func, insert, select, text

from kilonova.domain.errors import DiskFull
from kilonova.store.away import DatabaseFull
from kilonova.store.database import Database
from kilonova.store.room import DatabaseRoom
from kilonova.store.schema import ensure_schema
from kilonova.store.tables.placement import resource_classes
from tests import databases
from tests.smalldisk import MIB, fill, small_disk


def write(db: Database, number: int) -> None:
    name = f"{number:04}" + "x" * 200
    with db.write() as tx:
        tx.execute(insert(resource_classes), {"name": name, "created_at": datetime.now(UTC)})


def write_until_full(db: Database, first: int = 0) -> int:
    """How many rows there are when there is no room for another."""
    for number in range(first, first + 100_000):
        try:
            write(db, number)
        except DatabaseFull:
            return number
    raise AssertionError("it is never full")


def count(db: Database) -> int:
    with db.read() as tx:
        return int(tx.execute(select(func.count()).select_from(resource_classes)).scalar_one())


def test_sqlite_at_its_most_pages(tmp_path: Path) -> None:
    with databases.sqlite(tmp_path) as db:
        with db.engine.connect() as connection:  # the pool gives it to whoever asks next
            pages = connection.exec_driver_sql("PRAGMA page_count").scalar_one()
            connection.exec_driver_sql(f"PRAGMA max_page_count={pages + 5}")
        written = write_until_full(db)
        assert count(db) == written > 0
        with db.engine.connect() as connection:
            connection.exec_driver_sql("PRAGMA max_page_count=1000000")
        write(db, 9999)


def test_sqlite_on_a_full_disk(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", 8) as disk:
        db = Database(f"sqlite:///{disk / 'kilonova.db'}")
        ensure_schema(db)
        filler = fill(disk)
        written = 0
        for _ in range(3):
            written = write_until_full(db, written)
            assert count(db) == written
        filler.unlink()
        write(db, 9999)
        assert count(db) == written + 1
        db.close()


def test_postgresql_on_a_full_disk(postgres: databases.Cluster | None, tmp_path: Path) -> None:
    if postgres is None:
        pytest.skip("PostgreSQL is not installed: apt-get install postgresql")
    with (
        small_disk(Path("/run") / f"kilonova-test-{tmp_path.name}", 8, owner=databases.ACCOUNT) as disk,
        postgres.database() as url,
    ):
        db = Database(url)
        with db.engine.connect() as connection:
            connection.execution_options(isolation_level="AUTOCOMMIT")
            connection.execute(text(f"CREATE TABLESPACE small LOCATION '{disk}'"))
            connection.execute(text("ALTER TABLE resource_classes SET TABLESPACE small"))
        try:
            fill(disk, leave=256 * 1024)
            written = write_until_full(db)
            assert count(db) == written > 0
        finally:
            with db.engine.connect() as connection:
                connection.execution_options(isolation_level="AUTOCOMMIT")
                connection.execute(text("DROP TABLE resource_classes"))
                connection.execute(text("DROP TABLESPACE small"))
            db.close()


def test_what_is_kept_back_is_seen_before_the_disk_is_full(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", 8) as disk:
        db = Database(f"sqlite:///{disk / 'kilonova.db'}")
        ensure_schema(db)
        room = DatabaseRoom(db, 2 * MIB)
        room.check()
        filler = fill(disk, leave=MIB)
        with pytest.raises(DiskFull, match="keeps its records on has only left what is kept for deleting"):
            room.check()
        filler.unlink()
        room.check()
        db.close()
