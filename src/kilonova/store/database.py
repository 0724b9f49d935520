"""
One database, two engines: SQLite in WAL mode (embedded) and PostgreSQL (a fleet).

`read()` gives a snapshot, `write()` a transaction that commits when the block ends and rolls back when it raises. A `Tx` also
carries what is to happen only once the commit is durable (`after_commit`): waking a conductor, telling a host. Such things
may be lost with the process; whatever needs them finds the row at its next pass.

SQLite has one writer: `write()` takes a lock in the process before `BEGIN IMMEDIATE`, so writers queue here, in order and
without busy-waiting, rather than in SQLite. `synchronous=NORMAL` in WAL mode: a power cut may lose the last commits but
corrupts nothing; `durable=True` sets FULL. Nothing but SQLite ever opens the file, in a process where SQLite may have it open:
see `_keep_private`.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from typing import Any

import structlog
from sqlalchemy import Connection, CursorResult, Engine, Executable, create_engine, event, make_url
from sqlalchemy.exc import DBAPIError, InvalidatePoolError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.pool import QueuePool

from kilonova.domain import regex
from kilonova.store import again
from kilonova.store.away import (
    DatabaseAway,
    DatabaseFull,
    TransactionConflict,
    is_away,
    is_conflict,
    is_full,
    is_read_only,
)
from kilonova.store.error_texts import keep_values_out

_POOL_SIZE = 16
_STATEMENTS = 500  # that a connection keeps prepared; fewer than there are would be prepared anew again and again
_TRUSTED_S = 1.0  # so long after its last use a connection is taken for alive, and not asked
_log = structlog.get_logger(__name__)
_POOL_WAIT_S = 10  # for a connection of the pool; longer, and whoever asked has better things to do
_PRAGMAS = (
    "journal_mode=WAL", f"journal_size_limit={64 * 1024 * 1024}", "foreign_keys=ON", "temp_store=MEMORY", "cache_size=-16000",
)  # fmt: skip
_IDLE_TRANSACTION_MS = 60_000  # no transaction of ours waits so long between two statements


class Attempt:
    """See `Tx.attempt`."""

    is_done = False

    def done(self) -> None:
        """It came to something, which is to stay."""
        self.is_done = True


class Tx:
    """An open transaction, as queries are given it."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.hooks: list[Callable[[], None]] = []

    def execute(self, statement: Executable, parameters: Any = None) -> CursorResult[Any]:
        """Run one statement."""
        return self.connection.execute(statement, parameters)

    @contextmanager
    def attempt(self) -> Iterator[Attempt]:
        """
        A part of the transaction that may come to nothing: unless the block says `done`, what it wrote is taken back at its end.

        The rows it locked are let go of then, too, as if it had never been: whoever tries one thing after another waits for none
        of them while it holds what it could not use.
        """
        made = Attempt()
        self.connection.exec_driver_sql("SAVEPOINT attempt")
        yield made
        if not made.is_done:
            self.connection.exec_driver_sql("ROLLBACK TO SAVEPOINT attempt")

    def after_commit(self, hook: Callable[[], None]) -> None:
        """Call `hook` once this transaction is committed; never, when it is rolled back."""
        self.hooks.append(hook)


class Database:
    """A pool of connections to one database."""

    def __init__(
        self, url: str, *, durable: bool = False, connections: int = 2 * _POOL_SIZE, connect_timeout_s: int = 5
    ) -> None:
        self.is_sqlite = url.startswith("sqlite")
        if self.is_sqlite:
            self.engine = _sqlite_engine(url, durable=durable)
        else:
            self.engine = _postgres_engine(url, connections, connect_timeout_s)
        keep_values_out(self.engine)
        self._writer: AbstractContextManager[Any] = threading.RLock() if self.is_sqlite else nullcontext()
        self._local = threading.local()

    @contextmanager
    def read(self) -> Iterator[Tx]:
        """A consistent snapshot. Nothing written in it is kept. Raises DatabaseAway."""
        with self._guarded(), self.engine.connect() as connection:
            if self.is_sqlite:
                connection.exec_driver_sql("BEGIN")
            else:
                connection.execution_options(postgresql_readonly=True)
            try:
                yield Tx(connection)
                if not self.is_sqlite:
                    connection.commit()  # of nothing: a rollback would make the driver forget all statements that it prepared
            finally:
                connection.rollback()

    @contextmanager
    def write(self) -> Iterator[Tx]:
        """A transaction. Not to be nested: pass the Tx on instead. Raises DatabaseAway."""
        if getattr(self._local, "writing", False):
            raise RuntimeError("a write transaction is already open in this thread; pass its Tx on")
        with self._guarded(), self._writer, self.engine.connect() as connection:
            self._local.writing = True
            try:
                tx = Tx(connection)
                if self.is_sqlite:
                    connection.exec_driver_sql("BEGIN IMMEDIATE")
                yield tx
                connection.commit()
                again.committed()
            except BaseException:
                connection.rollback()
                raise
            finally:
                self._local.writing = False
        self.run_hooks(tx)

    def run_hooks(self, tx: Tx) -> None:
        """What was to follow the commit. One that raises is logged alone: what was committed stands, and the others follow it."""
        for hook in tx.hooks:
            try:
                hook()
            except Exception:  # noqa: BLE001 - whoever wrote must not take it for a write that failed
                _log.exception("what was to follow a commit did not; the next pass over the records finds it")

    @contextmanager
    def _guarded(self) -> Iterator[None]:
        try:
            yield
        except (DBAPIError, PoolTimeout) as error:
            if is_full(error):
                raise DatabaseFull(str(error.__cause__ or error).partition("\n")[0]) from error
            if not is_away(error):
                raise
            if is_read_only(error):
                self.engine.dispose()  # no connection of this pool leads to a server that can be written to
            kind = TransactionConflict if is_conflict(error) else DatabaseAway
            raise kind(str(error.__cause__ or error).partition("\n")[0]) from error

    def close(self) -> None:
        """Close every connection."""
        self.engine.dispose()


def _sqlite_engine(url: str, *, durable: bool) -> Engine:
    engine = create_engine(
        url,
        hide_parameters=True,
        poolclass=QueuePool,
        pool_size=_POOL_SIZE,
        max_overflow=_POOL_SIZE,
        # isolation_level None: the driver opens no transaction of its own, `write()` and `read()` do.
        connect_args={"check_same_thread": False, "timeout": 30, "isolation_level": None},
    )

    event.listen(engine, "do_connect", _keep_private)

    @event.listens_for(engine, "connect")
    def _configure(connection: Any, _record: Any) -> None:
        is_new = connection.execute("PRAGMA page_count").fetchone() == (0,)
        # See `space.py`. Of a file that is there it would change nothing, and wait for whoever writes.
        first = ("auto_vacuum=INCREMENTAL",) if is_new else ()
        for pragma in (*first, *_PRAGMAS, f"synchronous={'FULL' if durable else 'NORMAL'}"):
            connection.execute(f"PRAGMA {pragma}")
        connection.create_function("regexp", 2, regex.found, deterministic=True)

    return engine


def _keep_private(_dialect: Any, _record: Any, arguments: list[Any], _options: Any) -> None:
    """
    The file is its owner's alone from its first moment; SQLite gives its other files the mode of the first.

    It is made without being opened. Whoever closes a file, however he came to open it, drops all locks that his process holds on
    it: with SQLite's gone, the next program that looks into the database and leaves takes itself for the last one, and deletes
    the log with what was committed.
    """
    if arguments and arguments[0] != ":memory:":
        with suppress(OSError):  # it is there; or no such folder, not a file: SQLite says so in its own words
            os.mknod(arguments[0], 0o600)


def _url_options(url: str) -> str:
    found = make_url(url).query.get("options", "")
    return found if isinstance(found, str) else " ".join(found)


def _postgres_engine(url: str, connections: int, connect_timeout_s: int) -> Engine:
    if url.startswith("postgresql://"):
        url = "postgresql+psycopg://" + url.removeprefix("postgresql://")
    kept = min(_POOL_SIZE, connections)
    engine = create_engine(
        url,
        hide_parameters=True,
        pool_size=kept,
        max_overflow=connections - kept,
        pool_timeout=_POOL_WAIT_S,
        # A server that vanished without a word is noticed within seconds, not hours; and a process that stands still in the
        # middle of a transaction (stopped, or its machine paused) does not hold its locks for as long as it pleases.
        connect_args={
            "options": f"-c idle_in_transaction_session_timeout={_IDLE_TRANSACTION_MS} {_url_options(url)}",
            "connect_timeout": connect_timeout_s,
            "keepalives_idle": 10,
            "keepalives_interval": 5,
            "keepalives_count": 3,
            "tcp_user_timeout": 20_000,
        },
    )
    _look_after(engine)
    return engine


def _look_after(engine: Engine) -> None:
    @event.listens_for(engine, "connect")
    def _keep_statements(connection: Any, _record: Any) -> None:
        connection.prepared_max = _STATEMENTS

    @event.listens_for(engine, "checkin")
    def _note_time(_connection: Any, record: Any) -> None:
        record.info["used_at"] = time.monotonic()

    @event.listens_for(engine, "checkout")
    def _look_whether_it_is_there(connection: Any, record: Any, _proxy: Any) -> None:
        is_fresh = "used_at" not in record.info
        if is_fresh or time.monotonic() - record.info["used_at"] < _TRUSTED_S:
            return
        try:
            engine.dialect.do_ping(connection)
        except engine.dialect.loaded_dbapi.Error as error:
            raise InvalidatePoolError from error  # the pool makes new ones, and tries again
