"""
One database, two engines: SQLite in WAL mode (embedded) and PostgreSQL (a fleet).

`read()` gives a snapshot, `write()` a transaction that commits when the block ends and rolls back when it raises. A `Tx` also
carries what is to happen only once the commit is durable (`after_commit`): waking a conductor, telling a host. Such things
may be lost with the process; whatever needs them finds the row at its next pass.

SQLite has one writer: `write()` takes a lock in the process before `BEGIN IMMEDIATE`, so writers queue here, in order and
without busy-waiting, rather than in SQLite. `synchronous=NORMAL` in WAL mode: a power cut may lose the last commits but
corrupts nothing; `durable=True` sets FULL.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from typing import Any

from sqlalchemy import Connection, CursorResult, Engine, Executable, create_engine, event
from sqlalchemy.pool import QueuePool

_POOL_SIZE = 16


class Tx:
    """An open transaction, as queries are given it."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.hooks: list[Callable[[], None]] = []

    def execute(self, statement: Executable, parameters: Any = None) -> CursorResult[Any]:
        """Run one statement."""
        return self.connection.execute(statement, parameters)

    def after_commit(self, hook: Callable[[], None]) -> None:
        """Call `hook` once this transaction is committed; never, when it is rolled back."""
        self.hooks.append(hook)


class Database:
    """A pool of connections to one database."""

    def __init__(self, url: str, *, durable: bool = False) -> None:
        self.is_sqlite = url.startswith("sqlite")
        self.engine = _sqlite_engine(url, durable=durable) if self.is_sqlite else _postgres_engine(url)
        self._writer: AbstractContextManager[Any] = threading.RLock() if self.is_sqlite else nullcontext()
        self._local = threading.local()

    @contextmanager
    def read(self) -> Iterator[Tx]:
        """A consistent snapshot. Nothing written in it is kept."""
        with self.engine.connect() as connection:
            if self.is_sqlite:
                connection.exec_driver_sql("BEGIN")
            try:
                yield Tx(connection)
            finally:
                connection.rollback()

    @contextmanager
    def write(self) -> Iterator[Tx]:
        """A transaction. Not to be nested: pass the Tx on instead."""
        if getattr(self._local, "writing", False):
            raise RuntimeError("a write transaction is already open in this thread; pass its Tx on")
        with self._writer, self.engine.connect() as connection:
            self._local.writing = True
            try:
                tx = Tx(connection)
                if self.is_sqlite:
                    connection.exec_driver_sql("BEGIN IMMEDIATE")
                yield tx
                connection.commit()
            except BaseException:
                connection.rollback()
                raise
            finally:
                self._local.writing = False
        for hook in tx.hooks:
            hook()

    def close(self) -> None:
        """Close every connection."""
        self.engine.dispose()


def _sqlite_engine(url: str, *, durable: bool) -> Engine:
    engine = create_engine(
        url,
        poolclass=QueuePool,
        pool_size=_POOL_SIZE,
        max_overflow=_POOL_SIZE,
        # isolation_level None: the driver opens no transaction of its own, `write()` and `read()` do.
        connect_args={"check_same_thread": False, "timeout": 30, "isolation_level": None},
    )

    @event.listens_for(engine, "do_connect")
    def _keep_private(_dialect: Any, _record: Any, arguments: list[Any], _options: Any) -> None:
        """The keys that tokens are sealed with are in it. SQLite gives its other files the mode of the first."""
        if arguments and arguments[0] != ":memory:":
            with suppress(OSError):  # no such folder, not a file: SQLite says so in its own words
                os.close(os.open(arguments[0], os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))

    @event.listens_for(engine, "connect")
    def _configure(connection: Any, _record: Any) -> None:
        for pragma in (
            "journal_mode=WAL",
            f"synchronous={'FULL' if durable else 'NORMAL'}",
            "foreign_keys=ON",
            "temp_store=MEMORY",
            "cache_size=-16000",
        ):
            connection.execute(f"PRAGMA {pragma}")

    return engine


def _postgres_engine(url: str) -> Engine:
    if url.startswith("postgresql://"):
        url = "postgresql+psycopg://" + url.removeprefix("postgresql://")
    return create_engine(url, pool_size=_POOL_SIZE, max_overflow=_POOL_SIZE, pool_pre_ping=True)
