"""Keeps the records of this process' control-plane services fresh, so that os-services tells the truth about them."""

from __future__ import annotations

from collections.abc import Sequence

from kilonova.domain.clock import Clock, Ids
from kilonova.store.database import Database
from kilonova.store.queries import services


class ServicePulse:
    """Says that these services (`nova-conductor`, `nova-scheduler`) live on `host`."""

    name = "service_pulse"
    period_s = 15.0

    def __init__(self, db: Database, clock: Clock, ids: Ids, *, host: str, binaries: Sequence[str]) -> None:
        self._db, self._clock, self._ids, self._host, self._binaries = db, clock, ids, host, binaries

    def activate(self) -> dict[str, int]:
        """Say it."""
        now = self._clock.now()
        with self._db.write() as tx:
            for binary in self._binaries:
                services.beat(tx, binary, self._host, ids=self._ids, now=now)
        return {"services": len(self._binaries)}
