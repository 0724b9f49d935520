"""
Writes down what was refused to hosts, so that operators see a host that is broken or taken over.

Whoever is refused may try again a thousand times a second, and must not cost a transaction each time: the same refusal is written
once a second at most, with the times it happened since. What happened in the last second before somebody gave up may be missing
from the count; that it happened is not.
"""

from __future__ import annotations

import threading
from collections import OrderedDict

import structlog

from kilonova.domain.clock import Clock
from kilonova.domain.host_access import Refusal
from kilonova.store.database import Database
from kilonova.store.queries import host_access

WRITE_EVERY_S = 1.0
_CAPACITY = 4096
_log = structlog.get_logger(__name__)


class RefusalLog:
    """Counts refusals per sender, thing and reason; safe to use from many threads."""

    def __init__(self, db: Database, clock: Clock) -> None:
        self._db, self._clock = db, clock
        self._lock = threading.Lock()
        self._written: OrderedDict[tuple[str, str, str], tuple[float, int]] = OrderedDict()  # when, and how often since

    def note(self, sender: str, what: str, why: str, about: str = "") -> None:
        """`sender` was refused `what`. `why` is one of few sentences; what differs from time to time goes into `about`."""
        times = self._due((sender, what, why))
        if not times:
            return
        shown = ascii(about[:200])[1:-1][:255]  # whatever is in it: a text column does not take everything
        _log.warning("refused", sender=sender, what=what, why=why, about=shown, times=times)
        now = self._clock.now()
        refusal = Refusal(
            sender=sender[:255],
            what=what[:64],
            why=why[:128],
            about=shown,
            times=times,
            first_at=now,
            last_at=now,
        )
        with self._db.write() as tx:
            host_access.refuse(tx, refusal)

    def _due(self, key: tuple[str, str, str]) -> int:
        """How many to write down now; 0 when it is too early."""
        now = self._clock.monotonic()
        with self._lock:
            last, since = self._written.pop(key, (float("-inf"), 0))
            is_due = now - last >= WRITE_EVERY_S
            self._written[key] = (now, 0) if is_due else (last, since + 1)
            if len(self._written) > _CAPACITY:
                self._written.popitem(last=False)
            return since + 1 if is_due else 0
