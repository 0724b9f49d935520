"""What a database's error says: never what a statement was given. On both engines."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Callable
from datetime import UTC, datetime

import pytest
import structlog
from sqlalchemy import Connection, bindparam, text

from kilonova.logs import configure_logs
from kilonova.store.database import Database, Tx
from kilonova.store.tables.identity import secret_keys

SECRET = "hunter2-nobody-shall-read"
NOW = datetime(2026, 1, 2, tzinfo=UTC)


def row(**other: object) -> dict[str, object]:
    return {"purpose": SECRET, "created_at": NOW, "key": SECRET.encode(), **other}


def twice(tx: Tx) -> None:
    tx.execute(secret_keys.insert(), row())
    tx.execute(secret_keys.insert(), row())


def many(tx: Tx) -> None:
    tx.execute(secret_keys.insert(), [row(), row()])


def nothing_in_it(tx: Tx) -> None:
    tx.execute(
        text("INSERT INTO secret_keys (purpose, created_at, key) VALUES (:a, NULL, :b)"), {"a": SECRET, "b": b"x"}
    )


def no_such_parent(tx: Tx) -> None:
    tx.execute(text("INSERT INTO saga_stages (saga_id, name, attempt, started_at) VALUES (:a, :b, 1, 1)"),
               {"a": SECRET[:36], "b": SECRET})  # fmt: skip
    tx.connection.commit()


def against_a_check(tx: Tx) -> None:
    tx.execute(
        text("INSERT INTO sagas (id, kind, server_id, request_id, params, status, attempt, cancel, epoch, created_at)"
             " VALUES ('a', 'boot', 'b', 'r', :params, 'done', 1, :no, 0, 1)"), {"params": SECRET, "no": False},
    )  # fmt: skip


def no_number(tx: Tx) -> None:
    if tx.connection.dialect.name == "sqlite":  # it takes anything for a number, but for a key of its own
        tx.execute(text("CREATE TABLE numbered (n INTEGER PRIMARY KEY)"))
        tx.execute(text("INSERT INTO numbered VALUES (:n)"), {"n": SECRET})
    tx.execute(text("SELECT CAST(CAST(:n AS text) AS integer)"), {"n": SECRET})


def no_time(tx: Tx) -> None:
    tx.execute(text("SELECT CAST(CAST(:t AS text) AS timestamp)"), {"t": SECRET})
    tx.execute(text("SELECT json_extract(:t, '$')"), {"t": SECRET})


def no_column(tx: Tx) -> None:
    tx.execute(text("SELECT nothing FROM secret_keys WHERE purpose = :p"), {"p": SECRET})


def no_such_type(tx: Tx) -> None:
    tx.execute(text("SELECT :p"), {"p": [{SECRET: {SECRET}}]})


def no_instant(tx: Tx) -> None:
    tx.execute(secret_keys.insert(), row(created_at=SECRET))


def one_is_missing(tx: Tx) -> None:
    tx.execute(text("SELECT :p, :q").bindparams(bindparam("q", required=True)), {"p": SECRET})


def a_zero_byte(tx: Tx) -> None:
    tx.execute(text("SELECT CAST(:p AS text), nothing"), {"p": f"{SECRET}\x00"})


def too_long(tx: Tx) -> None:
    tx.execute(secret_keys.insert(), row(purpose=SECRET * 20))
    tx.execute(secret_keys.insert(), row(purpose=SECRET * 20))


WRONG = (twice, many, nothing_in_it, no_such_parent, against_a_check, no_number, no_time, no_column, no_such_type,
         no_instant, one_is_missing, a_zero_byte, too_long)  # fmt: skip


@pytest.mark.parametrize("wrong", WRONG)
def test_no_error_and_no_log_shows_what_a_statement_was_given(
    database: Database, wrong: Callable[[Tx], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    written = io.StringIO()
    monkeypatch.setattr("sys.stderr", written)
    handlers, config = logging.root.handlers[:], structlog.get_config()
    configure_logs("debug")
    try:
        with pytest.raises(Exception) as raised:  # noqa: PT011 - every kind there is
            _done_and_logged(database, wrong)
    finally:
        logging.root.handlers[:] = handlers
        structlog.configure(**config)
    lines = [json.loads(line) for line in written.getvalue().splitlines()]
    assert [line["exception"].partition("\n")[0] for line in lines] == ["Traceback (most recent call last):"] * 2
    assert SECRET[:30] not in written.getvalue()
    assert SECRET[:30] not in str(raised.value)
    assert SECRET[:30] not in repr(raised.value)


def _done_and_logged(database: Database, wrong: Callable[[Tx], None]) -> None:
    try:
        with database.write() as tx:
            wrong(tx)
    except Exception:
        structlog.get_logger("ours").exception("it failed")
        logging.getLogger("a.library").exception("it failed")
        raise


def test_what_is_wrong_is_still_said(database: Database) -> None:
    for wrong, word in (
        (twice, "unique"),
        (nothing_in_it, "null"),
        (against_a_check, "ended_has_time"),
        (no_column, "nothing"),
    ):
        with pytest.raises(Exception, match=f"(?i){word}"), database.write() as tx:
            wrong(tx)


def test_every_engine_is_made_to_hide_parameters(database: Database) -> None:
    with database.read() as tx:
        connection: Connection = tx.connection
        assert connection.engine.hide_parameters
