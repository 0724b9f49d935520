"""Transactions, on both engines."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import select, text

from kilonova.store.database import Database, Tx
from kilonova.store.tables.identity import secret_keys
from tests import databases


def insert(tx: Tx, purpose: str) -> None:
    row = {"purpose": purpose, "created_at": datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC), "key": b"\x00k"}
    tx.execute(secret_keys.insert().values(row))


def purposes(database: Database) -> list[str]:
    with database.read() as tx:
        return list(tx.execute(select(secret_keys.c.purpose)).scalars())


def test_what_a_transaction_wrote_is_there_afterwards_with_its_types(database: Database) -> None:
    with database.write() as tx:
        insert(tx, "token")
    with database.read() as tx:
        row = tx.execute(select(secret_keys)).one()
    assert (row.created_at, bytes(row.key)) == (datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC), b"\x00k")


def test_a_transaction_that_raises_leaves_nothing_and_calls_no_hook(database: Database) -> None:
    called: list[str] = []

    def fail() -> None:
        with database.write() as tx:
            insert(tx, "token")
            tx.after_commit(lambda: called.append("hook"))
            raise LookupError

    with pytest.raises(LookupError):
        fail()
    assert (purposes(database), called) == ([], [])


def test_a_hook_sees_what_was_committed(database: Database) -> None:
    seen: list[list[str]] = []
    with database.write() as tx:
        insert(tx, "token")
        tx.after_commit(lambda: seen.append(purposes(database)))
    assert seen == [["token"]]


def test_a_transaction_is_not_nested(database: Database) -> None:
    with database.write(), pytest.raises(RuntimeError, match="already open"), database.write():
        pass


def test_a_sqlite_database_is_its_owners_alone(tmp_path: Path) -> None:
    """It holds what tokens are sealed with, and its folder can be entered by those who run guests."""
    with databases.sqlite(tmp_path) as database, database.write() as tx:
        tx.execute(text("CREATE TABLE t (x)"))
        modes = {path.name: path.stat().st_mode & 0o777 for path in tmp_path.iterdir()}
    assert len(modes) == 3
    assert set(modes.values()) == {0o600}


def test_a_database_that_sqlite_has_open_is_opened_by_nobody_else(tmp_path: Path) -> None:
    """Held by a hook in every test: not by us here, and not by anything else that a test runs in this process."""
    with databases.sqlite(tmp_path) as database, database.read(), database.read():
        for opens in (Path.read_bytes, lambda path: os.open(path, os.O_RDONLY), lambda path: os.open(str(path), 0)):
            with pytest.raises(AssertionError, match="opened while SQLite may have it open"):
                opens(tmp_path / "kilonova.db")


def test_a_new_connection_does_not_wait_for_who_writes(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path / 'a.db'}")
    with database.write() as tx:
        tx.execute(text("CREATE TABLE t (x INTEGER)"))
    database.close()
    again = Database(f"sqlite:///{tmp_path / 'a.db'}")
    with again.write() as tx:
        tx.execute(text("INSERT INTO t VALUES (1)"))
        with again.read() as another:  # the pool has no second connection yet
            assert another.execute(text("SELECT count(*) FROM t")).scalar() == 0
    again.close()


def test_a_hook_that_raises_takes_neither_the_others_nor_the_write_with_it(database: Database) -> None:
    called: list[str] = []

    def broken() -> None:
        raise RuntimeError("no bus")

    with database.write() as tx:
        tx.after_commit(lambda: called.append("before"))
        tx.after_commit(broken)
        tx.after_commit(lambda: called.append("after"))
    assert called == ["before", "after"]
