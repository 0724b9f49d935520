"""
The control plane's one clock: the database's.

Leases, heartbeats' ages, tokens and timelines are times that one process writes and another compares with its own. If their
machines' clocks differ by a minute, hosts that are well look dead. All of them talk to one database, so its clock is everybody's:
each process keeps the difference between its own clock and the database's, measured before it serves and once a minute after.

The difference is right to half the measurement's round trip; a slow measurement is worth less than an old one and is passed over.
A database that fails over to a machine with another clock moves everybody's time, together. While it is away the last
difference stands. SQLite is in the process, where there is nothing to differ from.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import datetime, timedelta

import structlog
from sqlalchemy import func, select
from sqlalchemy.exc import SQLAlchemyError

from kilonova.domain.clock import Clock
from kilonova.store.away import DatabaseAway
from kilonova.store.database import Database

MEASURE_EVERY_S = 60.0
_TRIES = 3
_WORTHLESS_S = 2.0
_WORTH_SAYING = timedelta(seconds=1)
_NOW = select(func.clock_timestamp())
_log = structlog.get_logger(__name__)


class DatabaseClock:
    """Fills `Clock`: the wall clock is the database's, all else is `base`'s. Until `start` it is `base`."""

    def __init__(self, db: Database, base: Clock) -> None:
        self._db, self._base = db, base
        self._ahead = timedelta(0)  # of the database, against ours
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="clock", daemon=True)

    def now(self) -> datetime:
        """The database's wall clock, timezone-aware UTC."""
        return self._base.now() + self._ahead

    def monotonic(self) -> float:
        """Seconds from an arbitrary start."""
        return self._base.monotonic()

    def call_later(self, delay_s: float, fn: Callable[[], None]) -> Callable[[], None]:
        """Run `fn` once after `delay_s` seconds in the timer thread."""
        return self._base.call_later(delay_s, fn)

    def start(self) -> None:
        """Measure, and go on measuring. Raises DatabaseAway: nobody is to serve by a clock that was compared with none."""
        if not self._db.is_sqlite:
            self._learn()
            self._thread.start()

    def stop(self) -> None:
        """Measure no more."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join()

    def measure(self) -> None:
        """Learn the difference anew; a database that is away changes nothing."""
        try:
            self._learn()
        except (SQLAlchemyError, DatabaseAway):
            _log.info("the database's clock could not be read; the difference known stands")

    def _learn(self) -> None:
        round_trip_s, ahead = min((self._measured() for _ in range(_TRIES)), key=lambda one: one[0])
        if round_trip_s > _WORTHLESS_S:
            return
        if abs(ahead - self._ahead) > _WORTH_SAYING:
            _log.warning("this machine's clock is off; the database's counts", behind_by_s=ahead.total_seconds())
        self._ahead = ahead

    def _measured(self) -> tuple[float, timedelta]:
        """A measurement: its round trip in seconds, and how far the database is ahead."""
        with self._db.read() as tx:
            tx.execute(_NOW)  # a connection may have to be made first, which is no part of the trip
            began, ours = self._base.monotonic(), self._base.now()
            theirs: datetime = tx.execute(_NOW).scalar_one()
            took_s = self._base.monotonic() - began
        return took_s, theirs - (ours + timedelta(seconds=took_s / 2))

    def _run(self) -> None:
        while not self._stopping.wait(MEASURE_EVERY_S):
            self.measure()
