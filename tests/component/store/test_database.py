"""Transactions, on both engines."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from sqlalchemy import select

from kilonova.store.database import Database, Tx
from kilonova.store.tables.identity import secret_keys


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
