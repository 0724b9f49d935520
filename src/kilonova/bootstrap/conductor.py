"""Wires the conductor: the sagas it runs, and the reconcilers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from kilonova.bootstrap.ground import Ground
from kilonova.conductor.kernel.definition import Definition
from kilonova.conductor.kernel.execution import OnJournal
from kilonova.conductor.kernel.runner import LEASE_S, Runner
from kilonova.conductor.sagas.boot import boot_saga
from kilonova.conductor.sagas.delete import delete_saga
from kilonova.conductor.service import Conductor, ConductorParts
from kilonova.domain.host import HostDefaults
from kilonova.domain.retention import Retention
from kilonova.identity.service import Identity
from kilonova.network.embedded import EmbeddedNetworks
from kilonova.reconcilers.base import LastRun, Reconciler, Reconcilers
from kilonova.reconcilers.guest_data import GuestDataReconciler
from kilonova.reconcilers.guest_reach import GuestReachReconciler
from kilonova.reconcilers.host_accounts import HostAccountsReconciler
from kilonova.reconcilers.identity_housekeeping import IdentityHousekeeping
from kilonova.reconcilers.network_sync import NetworkSync
from kilonova.reconcilers.power_state import PowerStateReconciler
from kilonova.reconcilers.purge import PurgeReconciler
from kilonova.reconcilers.service_pulse import ServicePulse
from kilonova.rpc.host_accounts import HostAccounts


@dataclass(frozen=True, kw_only=True)
class ConductorWiring:
    """
    What a conductor is made of besides the ground.

    `binaries` are the services that this process keeps the records of, as os-services names them; `on_journal` hears of
    every line of a saga's journal; `accounts` are looked through for those of hosts that are gone; `on_host_key` hears that a
    host has told its key.
    """

    networks: EmbeddedNetworks
    reach: GuestReachReconciler
    identity: Identity
    host_defaults: HostDefaults
    retention: Retention
    binaries: Sequence[str]
    on_journal: OnJournal
    saga_workers: int = 4
    lease_s: float = LEASE_S
    workers: int = 2
    accounts: HostAccounts | None = None
    on_host_key: Callable[[], None] = lambda: None


class ConductorRole:
    """A conductor."""

    def __init__(self, ground: Ground, wiring: ConductorWiring) -> None:
        self._ground, self._wiring = ground, wiring
        self.reconcilers = Reconcilers(self._reconcilers(), ground.clock)
        self.runner = Runner(
            ground.db,
            ground.bus,
            ground.clock,
            self._definitions(),
            owner=ground.name,
            workers=wiring.saga_workers,
            lease_s=wiring.lease_s,
            on_journal=wiring.on_journal,
        )
        self._conductor = Conductor(self._parts(), workers=wiring.workers)
        self.start, self.stop = self._conductor.start, self._conductor.stop

    def last_runs(self) -> list[LastRun]:
        """What each reconciler did last."""
        return self.reconcilers.last_runs()

    def _definitions(self) -> list[Definition[Any]]:
        bus = self._ground.bus
        return [
            boot_saga(bus, self._wiring.networks),
            delete_saga(bus, self._wiring.networks),
        ]

    def _reconcilers(self) -> list[Reconciler]:
        db, bus, clock, ids = self._ground.db, self._ground.bus, self._ground.clock, self._ground.ids
        accounts = self._wiring.accounts
        return [
            *([HostAccountsReconciler(db, accounts)] if accounts is not None else []),
            PowerStateReconciler(db, bus, clock),
            NetworkSync(db, bus, clock),
            GuestDataReconciler(db, bus, clock, self._wiring.networks),
            self._wiring.reach,
            ServicePulse(db, clock, ids, host=self._ground.name, binaries=self._wiring.binaries),
            IdentityHousekeeping(self._wiring.identity),
            PurgeReconciler(db, clock, self._wiring.retention),
        ]

    def _parts(self) -> ConductorParts:
        return ConductorParts(
            db=self._ground.db,
            epoch=self._ground.epoch,
            bus=self._ground.bus,
            clock=self._ground.clock,
            ids=self._ground.ids,
            runner=self.runner,
            reconcilers=self.reconcilers,
            networks=self._wiring.networks,
            host_defaults=self._wiring.host_defaults,
            on_host_key=self._wiring.on_host_key,
        )
