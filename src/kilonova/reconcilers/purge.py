"""
Removes the records of what is over and old (`[retention]`), and gives the space back.

A batch is a short transaction, and between two of them others have their turn, so a large backlog (the first run on an old cloud)
slows nobody down. What one activation does not come to, the next does. Two conductors may do it at once: each skips the rows that
the other holds.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from datetime import datetime

from kilonova.domain.clock import Clock
from kilonova.domain.retention import Retention, before
from kilonova.store.again import until_done
from kilonova.store.database import Database, Tx
from kilonova.store.queries import purge
from kilonova.store.space import give_back

_MOST_BATCHES = 500
_PAUSE_S = 0.01


class PurgeReconciler:
    """By a timer, as everything that is old was young once."""

    name = "purge"
    period_s = 600.0

    def __init__(
        self, db: Database, clock: Clock, retention: Retention, *, pause: Callable[[float], object] = time.sleep
    ) -> None:
        self._db, self._clock, self._retention, self._pause = db, clock, retention, pause

    def activate(self) -> dict[str, int]:
        """Remove what is due, and give back what that freed."""
        did = {}
        if self._retention.purge:
            for name, remove, until in self._due(self._clock.now()):
                did[name] = self._in_batches(remove, until)
        did["pages_given_back"] = self._repeat(lambda: give_back(self._db))
        return did

    def _due(self, now: datetime) -> Iterator[tuple[str, Callable[[Tx, datetime], int], datetime]]:
        kept = self._retention
        limits = (
            ("deleted_servers", purge.deleted_servers, self._limit("servers", kept.deleted_servers_days, kept.deleted_servers)),
            ("deleted_images", purge.deleted_images, self._limit("images", kept.deleted_images_days, kept.deleted_images)),
            ("ended_sagas", purge.ended_sagas, before(kept.actions_days, now)),
            ("actions", purge.actions, before(kept.actions_days, now)),
            ("events", purge.events_before, before(kept.events_days, now)),
            ("image_grants", purge.image_grants_over, now),
        )  # fmt: skip
        yield from ((name, remove, until) for name, remove, until in limits if until is not None)

    def _limit(self, ended: str, days: int, most: int) -> datetime | None:
        """What ended by then is removed: it is old, or there are `most` newer ones."""
        with self._db.read() as tx:
            limits = [before(days, self._clock.now()), purge.last_beyond(tx, ended, most) if most else None]
        return max((limit for limit in limits if limit is not None), default=None)

    def _in_batches(self, remove: Callable[[Tx, datetime], int], until: datetime) -> int:
        def one() -> int:
            with self._db.write() as tx:
                return remove(tx, until)

        return self._repeat(lambda: until_done(one))

    def _repeat(self, work: Callable[[], int]) -> int:
        """Until there is no more to do, or enough was done."""
        total = 0
        for _ in range(_MOST_BATCHES):
            done = work()
            total += done
            if not done:
                break
            self._pause(_PAUSE_S)
        return total
