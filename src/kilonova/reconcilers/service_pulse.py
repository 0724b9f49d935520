"""Keeps the records of this process' control-plane services fresh, so that os-services tells the truth about them."""

from __future__ import annotations

from collections.abc import Sequence

from kilonova.runtime import Runtime
from kilonova.store.queries import services


class ServicePulse:
    """Says that these services (`nova-conductor`, `nova-scheduler`) live on the host that the process is named after."""

    name = "service_pulse"
    period_s = 15.0

    def __init__(self, runtime: Runtime, *, binaries: Sequence[str]) -> None:
        self._runtime, self._binaries = runtime, binaries

    def activate(self) -> dict[str, int]:
        """Say it."""
        runtime = self._runtime
        with runtime.db.write() as tx:
            for binary in self._binaries:
                services.beat(tx, binary, runtime.name, ids=runtime.ids, now=runtime.clock.now())
        return {"services": len(self._binaries)}
