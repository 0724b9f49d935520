"""
Failed logins slow down whoever makes them: a bounded table of back-offs by account and address.

The first few failures are free (people mistype); each further one doubles the wait, up to a minute. The wait binds the pair of
account and address, so that a stranger cannot lock a user out of another place. In memory and per process: a guess that is
spread over processes still meets the cost of the hash.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import dataclass

from kilonova.domain.clock import Clock
from kilonova.domain.errors import Unavailable

FREE_FAILURES = 5
LONGEST_S = 60.0
FORGET_S = 900.0
CAPACITY = 10_000


class TooManyAttempts(Unavailable):
    """429: too many failed logins from there; try again after `retry_after_s` seconds."""

    status = 429
    code = "too_many_attempts"

    def __init__(self, retry_after_s: int) -> None:
        super().__init__(
            "Too many failed authentication attempts for this account from this address.",
            retry_after_s=retry_after_s,
            next_step=f"Try again in {retry_after_s} seconds.",
        )


@dataclass(slots=True)
class _Record:
    failures: int
    until: float
    last: float


class LoginThrottle:
    """Counts failures per key, the oldest forgotten first when there are too many keys."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._records: OrderedDict[tuple[str, str], _Record] = OrderedDict()

    def check(self, account: str, address: str) -> None:
        """Raise TooManyAttempts while this pair has to wait."""
        with self._lock:
            record = self._records.get((account, address))
            wait = 0.0 if record is None else record.until - self._clock.monotonic()
        if wait > 0:
            raise TooManyAttempts(max(1, round(wait + 0.5)))

    def failed(self, account: str, address: str) -> None:
        """Note a failure, and make the next attempt wait if there were too many."""
        now = self._clock.monotonic()
        with self._lock:
            record = self._records.pop((account, address), None)
            if record is None or now - record.last > FORGET_S:
                record = _Record(0, now, now)
            record.failures, record.last = record.failures + 1, now
            excess = record.failures - FREE_FAILURES
            if excess > 0:
                record.until = now + min(2.0 ** min(excess, 10), LONGEST_S)
            self._records[account, address] = record
            if len(self._records) > CAPACITY:
                self._records.popitem(last=False)

    def succeeded(self, account: str, address: str) -> None:
        """Forget the failures of this pair."""
        with self._lock:
            self._records.pop((account, address), None)
