"""
How much waits for the conductors, and when that is too much to take in more.

Whatever was accepted is done, so accepting must end before the wait becomes absurd: past a bound of its own a project is told
429, past the bound of the whole cloud everybody is told 503, with the seconds after which it is worth asking again. Deletes are
always taken: they make room.

What waits is counted in the records at most once a second, up to the bound and no further, and what this process accepts is added
in between. So it costs a boot nothing, several API processes may overshoot by what they accept in a second, and no more.
"""

from __future__ import annotations

import threading

import msgspec

from kilonova.domain.clock import Clock
from kilonova.domain.errors import Unavailable
from kilonova.store.database import Database
from kilonova.store.queries import saga_leases

_COUNT_EVERY_S = 1.0
_DONE_PER_S = 50  # what a conductor gets done at least; only the advice to wait depends on it
_LONGEST_S = 60


class Bounds(msgspec.Struct, frozen=True, kw_only=True):
    """How many requests may wait for a conductor: of one project, and of all."""

    per_project: int = 2000
    whole: int = 10_000


class TooManyWaiting(Unavailable):
    """429: the project has too much waiting already; ask again after `retry_after_s` seconds."""

    status = 429
    code = "too_many_waiting"


class Backlog:
    """What waits, as this process knows it. Thread-safe."""

    def __init__(self, database: Database, clock: Clock, bounds: Bounds | None = None) -> None:
        self._database, self._clock, self._bounds = database, clock, bounds or Bounds()
        self._lock = threading.Lock()
        self._counted_at: float | None = None
        self._waiting: dict[str | None, int] = {}

    def admit(self, project_id: str) -> None:
        """Let a request to boot in. Raises TooManyWaiting (429) or Unavailable (503) when too much waits already."""
        self._count()
        with self._lock:
            its, whole = self._waiting.get(project_id, 0), sum(self._waiting.values())
        if whole >= self._bounds.whole:
            raise Unavailable("The cloud has more requests waiting than it can take.", retry_after_s=_advice(whole))
        if its >= self._bounds.per_project:
            raise TooManyWaiting(
                f"This project has {its} requests waiting, as many as it may.",
                retry_after_s=_advice(its - self._bounds.per_project // 2),
                next_step="Wait until some of its servers are built, or ask for several servers in one request.",
            )

    def accepted(self, project_id: str, count: int) -> None:
        """So many more wait now."""
        with self._lock:
            self._waiting[project_id] = self._waiting.get(project_id, 0) + count

    def _count(self) -> None:
        """One caller counts when it is time; meanwhile the others go by what was known."""
        now = self._clock.monotonic()
        with self._lock:
            if self._counted_at is not None and now - self._counted_at < _COUNT_EVERY_S:
                return
            self._counted_at = now
        with self._database.read() as tx:
            found = saga_leases.waiting(tx, self._clock.now(), self._bounds.whole)
        with self._lock:
            self._waiting = found


def _advice(too_many: int) -> int:
    return max(1, min(_LONGEST_S, too_many // _DONE_PER_S))
