"""
A name among the processes of a kind, held by one of them at a time.

Why: sagas are leased under their conductor's name, and a conductor that starts frees what its name held, so that one that was
killed goes on at once. Two of one name would free each other's leases whenever one starts or stops, and turns would be thrown
away and done twice. No saga comes to harm by that (the epochs of leases see to it), so this keeps order and not the truth.

How: a session's advisory lock in PostgreSQL, on a connection of its own. The lock ends with the connection, and the connection
with the process: killed by whatever means, its kernel closes it, and the name is free within milliseconds. A record with a time
in it could not do that: whoever starts again quickly would have to wait until the record counts as old. When a machine vanishes
without a word, the server finds out by the keepalives that are asked of it here, in 11 s.

Who finds the name taken waits, alive and not ready, says who has it, and has it as soon as that one ends.

Whoever has the name says something over that connection every `KEEP_S` seconds. One that was silent for `SILENT_S` is not
believed in: a process that was stopped (SIGSTOP), or a pooler that kept a session which nobody uses any more. Its name is used as
if it were free, and taken when it is.

What if the connection is lost while its process works: the server restarts, or fails over to one that knows nothing of locks? The
name is taken again at the next look, within `KEEP_S`. Should another have been quicker, both work: the loser says so, loudly, and
is not ready, but does not end, for its leases are as good as before and what it has in hand would only be done later.

SQLite has no such lock. Processes that share one are on one machine, to try things out.
"""

from __future__ import annotations

import threading
from datetime import UTC
from hashlib import blake2b

import structlog
from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from kilonova.store.database import Database

KEEP_S = 5.0
SILENT_S = 60.0
_FOUND_DEAD = (("tcp_keepalives_idle", 5), ("tcp_keepalives_interval", 2), ("tcp_keepalives_count", 3))
_TAKE = text("SELECT pg_try_advisory_lock(:key)")
_IS_STANDBY = text("SELECT pg_is_in_recovery()")
_HOLDER = text("""
    SELECT host(client_addr) AS address, backend_start AS since,
           extract(epoch FROM clock_timestamp() - state_change) AS silent_s
    FROM pg_locks JOIN pg_stat_activity USING (pid)
    WHERE locktype = 'advisory' AND granted AND objsubid = 1 AND pg_locks.database = pg_stat_activity.datid
      AND datname = current_database() AND ((classid::bigint << 32) | objid::bigint) = :key
""")
_log = structlog.get_logger(__name__)


class NameLock:
    """The right to be the one `kind` of this name, from the first look that finds it free until `close`."""

    def __init__(self, db: Database, kind: str, name: str) -> None:
        self._db, self._kind, self._name = db, kind, name
        key = blake2b(f"{kind}/{name}".encode(), digest_size=8).digest()
        self._key = int.from_bytes(key) >> 1  # PostgreSQL's is signed
        self._connection: Connection | None = None
        self._looking = threading.Lock()
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._keep, name="name_lock", daemon=True)

    def start(self) -> None:
        """Go on looking, so that a name once held stays so."""
        self._thread.start()

    def close(self) -> None:
        """Let go of the name."""
        self._closing.set()
        if self._thread.is_alive():
            self._thread.join()
        with self._looking:
            self._drop()
        self._db.close()

    def problem(self) -> str:
        """Take the name, or make sure that it is still held: "", or why not. Never waits for its holder."""
        if self._db.is_sqlite:
            return ""
        with self._looking:
            if self._closing.is_set():
                return "it is let go of"
            try:
                return "" if self._holds() else self._taken()
            except (DBAPIError, PoolTimeout) as why:
                self._drop()
                reason = str(why.__cause__ or why).partition("\n")[0]
                return f"it cannot be held, as the database does not answer: {reason}"

    def _holds(self) -> bool:
        if self._connection is None:
            return False
        if self._connection.execute(_IS_STANDBY).scalar_one():
            self._drop()  # a lock there says nothing to those who ask the server that is written to
            return False
        return True

    def _taken(self) -> str:
        """Take the name; if another has it, and can be believed in, who."""
        made = self._db.engine.connect().execution_options(isolation_level="AUTOCOMMIT")
        self._connection = made
        if made.execute(_TAKE, {"key": self._key}).scalar_one():
            for setting, value in _FOUND_DEAD:
                made.exec_driver_sql(f"SET {setting} = {value}")
            return ""
        found = made.execute(_HOLDER, {"key": self._key}).first()
        self._drop()
        if found is None:
            return "its holder is just going"
        if found.silent_s is not None and found.silent_s > SILENT_S:
            return ""
        since = found.since.astimezone(UTC).isoformat(timespec="seconds")
        kind, name, address = self._kind, self._name, found.address or "the database's own machine"
        return (
            f"another {kind} named {name} has it since {since}, at {address}: give one of them another name"
            f" ([{kind}] name, or KILONOVA_{kind.upper()}_NAME), or end that one, and this one goes on"
        )

    def _drop(self) -> None:
        if self._connection is not None:
            connection, self._connection = self._connection, None
            connection.invalidate()  # ends the session, and so the lock; given back to the pool it would keep it
            connection.close()

    def _keep(self) -> None:
        said = ""
        while not self._closing.wait(KEEP_S):
            problem = self.problem()
            if problem and problem != said:
                _log.error("this process' name is not its own", name=self._name, problem=problem)
            said = problem
