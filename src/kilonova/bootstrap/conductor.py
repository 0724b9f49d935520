"""Wires the conductor: the sagas it runs, and the reconcilers. Tests and simulated worlds wire theirs by this, too."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from kilonova.conductor.kernel.definition import Definition
from kilonova.conductor.kernel.execution import OnJournal
from kilonova.conductor.kernel.runner import LEASE_S, Runner, ignore_journal
from kilonova.conductor.neighbours import Networks
from kilonova.conductor.sagas.boot import boot_saga
from kilonova.conductor.sagas.delete import delete_saga
from kilonova.conductor.service import Conductor, ConductorParts
from kilonova.domain.host import HostDefaults
from kilonova.reconcilers.base import LastRun, Reconciler, Reconcilers
from kilonova.reconcilers.guest_data import GuestDataReconciler
from kilonova.reconcilers.network_sync import NetworkSync
from kilonova.reconcilers.power_state import PowerStateReconciler
from kilonova.runtime import Runtime


@dataclass(frozen=True, kw_only=True)
class ConductorWiring:
    """
    What a conductor is made of besides its runtime.

    `housekeeping`: reconcilers besides those that servers and networks need. `on_journal` hears of every line of a saga's
    journal; `on_host_key`, that a host has told its key. `edit` changes the definitions of sagas: tests plant faults with it.
    """

    networks: Networks
    host_defaults: HostDefaults
    housekeeping: Sequence[Reconciler] = ()
    on_journal: OnJournal = ignore_journal
    on_host_key: Callable[[], None] = lambda: None
    edit: Callable[[Definition[Any]], Definition[Any]] = lambda definition: definition
    saga_workers: int = 4
    lease_s: float = LEASE_S
    workers: int = 2


class ConductorRole:
    """A conductor. `service` is what hears of messages."""

    def __init__(self, runtime: Runtime, wiring: ConductorWiring) -> None:
        self._wiring = wiring
        self.reconcilers = Reconcilers(_reconcilers(runtime, wiring), runtime.clock)
        self.runner = Runner(
            runtime,
            map(wiring.edit, _definitions(runtime, wiring)),
            workers=wiring.saga_workers,
            lease_s=wiring.lease_s,
            on_journal=wiring.on_journal,
        )
        self.service = Conductor(runtime, self._parts(), workers=wiring.workers)
        self.start, self.stop = self.service.start, self.service.stop

    def last_runs(self) -> list[LastRun]:
        """What each reconciler did last."""
        return self.reconcilers.last_runs()

    def _parts(self) -> ConductorParts:
        return ConductorParts(
            runner=self.runner,
            reconcilers=self.reconcilers,
            networks=self._wiring.networks,
            host_defaults=self._wiring.host_defaults,
            on_host_key=self._wiring.on_host_key,
        )


def _definitions(runtime: Runtime, wiring: ConductorWiring) -> list[Definition[Any]]:
    return [
        boot_saga(runtime.bus, wiring.networks),
        delete_saga(runtime.bus, wiring.networks),
    ]


def _reconcilers(runtime: Runtime, wiring: ConductorWiring) -> list[Reconciler]:
    db, bus, clock = runtime.db, runtime.bus, runtime.clock
    return [
        PowerStateReconciler(db, bus, clock),
        NetworkSync(db, bus, clock),
        GuestDataReconciler(db, bus, clock, wiring.networks),
        *wiring.housekeeping,
    ]
