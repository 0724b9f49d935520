"""
The processes of a fleet's control plane: `api`, `conductor`, `scheduler`, each a daemon of components on one runtime.

The runtime is made at once (neither database nor bus need be there for it); roles are made once the checks pass.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from functools import partial
from pathlib import Path

from prometheus_client import CollectorRegistry

from kilonova.api.framework import Limits
from kilonova.api.framework.connections import Connections
from kilonova.bootstrap.api import ApiParts, ApiRole, make_connections, make_images
from kilonova.bootstrap.conductor import ConductorRole, ConductorWiring
from kilonova.bootstrap.first_start import FirstStart, write_credentials
from kilonova.bootstrap.key_stores import fleet_key_store
from kilonova.bootstrap.reach import reach_settings
from kilonova.bootstrap.scheduler import make_scheduler
from kilonova.bootstrap.watching import BusCollector, bus_check
from kilonova.compute.backlog import Bounds
from kilonova.conductor.host_gate import HostGate
from kilonova.conductor.host_keys import HostKeys
from kilonova.conductor.host_shares import HostShares
from kilonova.conductor.metrics import FleetCollector, JournalMetrics
from kilonova.conductor.refusals import RefusalLog
from kilonova.config.bus import BusSection
from kilonova.config.fleet import FleetConfig, SchedulerSection
from kilonova.config.network import NetworkSection
from kilonova.config.sections import ApiSection, DatabaseSection, ProcessSection
from kilonova.daemon.descriptors import raise_descriptor_limit
from kilonova.daemon.health import Check, Health
from kilonova.daemon.life import Component, Daemon
from kilonova.daemon.listener import Listener
from kilonova.domain.addresses import ip_network
from kilonova.domain.clock import Ids, SystemClock
from kilonova.domain.errors import Rejected
from kilonova.faults import Faults
from kilonova.identity.service import build_identity
from kilonova.network.changes import Changes
from kilonova.network.defaults import DefaultNetwork
from kilonova.network.embedded import EmbeddedNetworks
from kilonova.network.networks import NetworkSettings
from kilonova.reconcilers.base import Reconciler, Reconcilers
from kilonova.reconcilers.guest_reach import GuestReachReconciler
from kilonova.reconcilers.host_accounts import HostAccountsReconciler
from kilonova.reconcilers.identity_housekeeping import IdentityHousekeeping
from kilonova.reconcilers.purge import PurgeReconciler
from kilonova.reconcilers.service_pulse import ServicePulse
from kilonova.rpc.host_accounts import HostAccounts, NoAccounts
from kilonova.rpc.observed import ObservedBus
from kilonova.rpc.rabbitmq_accounts import RabbitAccounts
from kilonova.rpc.sealed_bus import SealingBus
from kilonova.rpc.stamped import StampedBus
from kilonova.rpc.transports import make_bus
from kilonova.runtime import Runtime
from kilonova.store.away import DatabaseAway
from kilonova.store.clock import DatabaseClock
from kilonova.store.database import Database
from kilonova.store.epoch import Epoch
from kilonova.store.measured import measure
from kilonova.store.name_lock import NameLock
from kilonova.store.room import MIB
from kilonova.store.schema import what_lacks


class ControlPlane:
    """What the control plane's processes have in common; `section` is the process' own."""

    def __init__(self, config: FleetConfig, section: ProcessSection | ApiSection | SchedulerSection) -> None:
        self.config, self.section = config, section
        self.registry = CollectorRegistry()
        db = make_database(config.database)
        self._clock, self.faults = DatabaseClock(db, SystemClock()), Faults(os.environ)
        clock, ids = self._clock, Ids()
        self.epoch = Epoch(db, clock, ids)
        measure(db, self.registry)
        refusals, self.accounts = RefusalLog(db, clock), _accounts(config.bus)
        gate, shares = HostGate(db, clock, refusals), HostShares(clock, refusals, self.accounts)
        self._wire = make_bus(config.bus.url.reveal(), gate.admit, shares.has_room)
        self.registry.register(BusCollector(self._wire))
        self.host_keys = HostKeys(db, clock)
        sealing = SealingBus(self._wire, self.host_keys.of)
        bus = StampedBus(self.faults.bus(ObservedBus(sealing, self.registry)), self.epoch)
        name = section.name or socket.gethostname()
        self.runtime = Runtime(db=db, bus=bus, clock=clock, ids=ids, epoch=self.epoch, name=name)
        self.identity = build_identity(db, clock, self.runtime.ids, key_store=fleet_key_store(config.keys))
        self.changes = Changes(bus, clock)
        self.reach = GuestReachReconciler(db, reach_settings(config))
        self.networks = EmbeddedNetworks(self.runtime.ids, self.changes, self.reach.now)

    def daemon(self, make_roles: Callable[[], list[Component]], name_lock: NameLock | None = None) -> Daemon:
        """The process with these roles, all going by the database's clock; with a `name_lock`, once it has its name to itself."""

        def on_one_clock() -> list[Component]:
            self._clock.measure()
            self.epoch.read()
            return [self._clock, *make_roles()]

        checks: dict[str, Check] = {"database": self._database_problem, "bus": bus_check(self._wire)}
        if name_lock is not None:
            checks["name"] = name_lock.problem
        return Daemon(
            health=Health(checks, self.registry, token=self.config.metrics.token.reveal()),
            health_host=self.section.health_host,
            health_port=self.section.health_port,
            make_roles=on_one_clock,
            close=partial(self._close, name_lock),
            stop_s=self.section.stop_s,
        )

    def pulse(self, binary: str) -> Component:
        """Keeps the process' record among os-services."""
        return Reconcilers([ServicePulse(self.runtime, binaries=(binary,))], self.runtime.clock)

    def _database_problem(self) -> str:
        try:
            return what_lacks(self.runtime.db)
        except DatabaseAway as why:
            return f"it does not answer: {why}"

    def _close(self, name_lock: NameLock | None) -> None:
        self.runtime.bus.close()
        self.runtime.db.close()
        if name_lock is not None:
            name_lock.close()


def make_api(config: FleetConfig) -> Daemon:
    """`kilonova api`."""
    plane = ControlPlane(config, config.api)
    raise_descriptor_limit()
    connections = make_connections(config.api)

    def make_roles() -> list[Component]:
        first_start(config)(plane.runtime, plane.identity)
        api = ApiRole(plane.runtime, _api_parts(config, plane, connections))
        listener = Listener(
            api.app,
            config.api.host,
            config.api.port,
            drain_s=config.api.drain_s,
            connections=connections,
            on_leave=api.app.leave,
        )
        return [api, listener]

    return plane.daemon(make_roles)


def _housekeeping(plane: ControlPlane) -> list[Reconciler]:
    runtime = plane.runtime
    return [
        HostAccountsReconciler(runtime.db, plane.accounts),
        plane.reach,
        ServicePulse(runtime, binaries=("nova-conductor",)),
        IdentityHousekeeping(plane.identity),
        PurgeReconciler(runtime.db, runtime.clock, plane.config.retention),
    ]


def make_conductor(config: FleetConfig) -> Daemon:
    """`kilonova conductor`."""
    plane = ControlPlane(config, config.conductor)

    def make_roles() -> list[Component]:
        metrics = JournalMetrics(plane.registry)
        wiring = ConductorWiring(
            networks=plane.networks,
            host_defaults=config.host_defaults,
            housekeeping=_housekeeping(plane),
            on_journal=metrics.before(plane.faults.on_journal),
            saga_workers=config.conductor.saga_workers,
            lease_s=config.conductor.lease_s,
            workers=config.conductor.workers,
            on_host_key=plane.host_keys.forget,
        )
        conductor = ConductorRole(plane.runtime, wiring)
        plane.registry.register(
            FleetCollector(plane.runtime.db, plane.runtime.clock, lambda: conductor.runner.takeovers)
        )
        return [conductor]

    # Of the control plane's processes it alone holds something under its name: the leases of sagas. Two schedulers of one name
    # share a line of os-services and harm nothing, and an API's is used for nothing.
    name_lock = NameLock(make_database(config.database), "conductor", plane.runtime.name)
    name_lock.start()
    return plane.daemon(make_roles, name_lock)


def make_scheduler_process(config: FleetConfig) -> Daemon:
    """`kilonova scheduler`."""
    plane = ControlPlane(config, config.scheduler)

    def make_roles() -> list[Component]:
        return [make_scheduler(plane.runtime, config.scheduler), plane.pulse("nova-scheduler")]

    return plane.daemon(make_roles)


def make_database(section: DatabaseSection) -> Database:
    """The fleet's database. Raises Rejected for one that processes cannot share."""
    url = section.url.reveal()
    if url.startswith("sqlite") and not section.share_sqlite:
        raise Rejected(
            "[database] url names SQLite, which is for one process.",
            next_step="Name a PostgreSQL; or, to try things out on one machine, set [database] share_sqlite = true.",
        )
    if not url.startswith(("sqlite", "postgresql")):
        raise Rejected(
            "[database] url names no database that Kilonova knows.",
            next_step="postgresql://USER:PASSWORD@HOST:PORT/NAME",
        )
    return Database(url, connections=section.connections, connect_timeout_s=section.connect_timeout_s)


def first_start(config: FleetConfig) -> FirstStart:
    """What the fleet has before anybody can use it."""
    path = Path(config.api.credentials_file)

    return FirstStart(
        base_url=public_url(config.api),
        network=_default_network(config.network),
        keep=lambda made: write_credentials(path, made),
    )


def _default_network(section: NetworkSection) -> DefaultNetwork:
    """The network that a first start makes, of the kind that all of them are. Raises Rejected for ids in no order."""
    if section.first_vni > section.last_vni:
        raise Rejected(
            f"[network] first_vni is {section.first_vni} and last_vni {section.last_vni}.",
            next_step="Let last_vni be the higher, or leave both out.",
        )
    carried = NetworkSettings(
        kind=section.type,
        max_mtu=section.underlay_mtu,
        vnis=(section.first_vni, section.last_vni),
        reserved=tuple(map(ip_network, section.reserved_ranges)),
    )
    return DefaultNetwork(cidr=section.default_cidr, carried=carried)


def public_url(api: ApiSection) -> str:
    """What clients reach the API at."""
    host = f"[{api.host}]" if ":" in api.host else api.host
    return api.public_url or f"http://{host}:{api.port}"


def _api_parts(config: FleetConfig, plane: ControlPlane, connections: Connections) -> ApiParts:
    return ApiParts(
        identity=plane.identity,
        images=make_images(plane.runtime, Path(config.images.folder), config.images.reserve_mib),
        networks=plane.networks,
        changes=plane.changes,
        default_network=_default_network(config.network),
        policy_file=Path(config.api.policy_file),
        chosen=lambda: {"database": "PostgreSQL", "bus": "RabbitMQ"},
        last_runs=list,
        registry=plane.registry,
        public_url=config.api.public_url or None,
        limits=Limits.of(config.api),
        allowed_origins=config.api.allowed_origins,
        connections=connections,
        bounds=Bounds(per_project=config.api.project_backlog, whole=config.api.backlog),
        shows_metrics=False,
        scheduler=config.scheduler,
        database_reserve=config.database.reserve_mib * MIB,
        accounts=plane.accounts,
    )


def _accounts(bus: BusSection) -> HostAccounts:
    if not bus.management_url:
        return NoAccounts(
            "The settings name no [bus] management_url, so no host can be given an account on the bus.",
            next_step="Set [bus] management_url in the settings of the API's processes, and start them again.",
        )
    return RabbitAccounts(bus.management_url.reveal(), bus.url_for_hosts or bus.url.reveal())
