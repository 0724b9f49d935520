"""
Transactions that are made to meet: each stops once, behind the statement where it holds what the others will want.

    crossing = Crossing(database)
    crossing.run((one, "FROM hosts"), (another, "quota_usage"))  # each in a thread, stopping behind its first such statement

Who has stopped goes on when each of the others has stopped, too, or has ended, or waits for a lock. Had they taken their locks
in different orders, they would now wait for each other, and PostgreSQL would end one of them: that fails the test, whether or not
the work was done again. What one of them raises is raised.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from sqlalchemy import ExceptionContext, create_engine, event, text

from kilonova.store.database import Database
from tests.waiting import wait_until

_WAITING = text("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'")
_DEADLOCK = "40P01"


def waiting_for_locks(database: Database) -> int:
    """How many transactions of a database wait for a lock."""
    # A connection of its own: the pool's may all be in use by those who wait.
    watching = create_engine(database.engine.url, isolation_level="AUTOCOMMIT")
    try:
        with watching.connect() as connection:
            return int(connection.execute(_WAITING).scalar_one())
    finally:
        watching.dispose()


class Crossing:
    """See the module's text. For PostgreSQL."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._here = threading.local()
        self._lock = threading.Lock()
        self._parties = self._stopped = self._ended = 0
        self._deadlocks: list[str] = []
        event.listen(database.engine, "after_cursor_execute", self._look)
        event.listen(database.engine, "handle_error", self._note)

    def run(self, *works: tuple[Callable[[], Any], str]) -> list[Any]:
        """Do each work in a thread of its own, stopping once behind its first statement that has this in it; what each gave."""
        self._parties = len(works)
        with ThreadPoolExecutor(len(works)) as pool:
            found = [done.result() for done in [pool.submit(self._work, *work) for work in works]]
        assert self._deadlocks == []
        return found

    def _work(self, work: Callable[[], Any], stop_behind: str) -> Any:
        self._here.stop_behind = stop_behind
        try:
            return work()
        finally:
            with self._lock:
                self._ended += 1
            self._here.stop_behind = ""

    def _look(self, _connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        behind = getattr(self._here, "stop_behind", "")
        if behind and behind in statement:
            self._here.stop_behind = ""
            with self._lock:
                self._stopped += 1
            wait_until(self._all_are_there, "the others have come to where they meet", 30)

    def _note(self, context: ExceptionContext) -> None:
        if getattr(context.original_exception, "sqlstate", None) == _DEADLOCK:
            self._deadlocks.append(str(context.original_exception))

    def _all_are_there(self) -> bool:
        return self._stopped + self._ended + waiting_for_locks(self._database) >= self._parties
