"""
The embedded cloud: every role in one process.

The order of `start` is the order of need: records, then who decides (scheduler), then who acts on decisions (conductor), then the
hosts, which join as they would over a network. The listener is the process' own (`process.py`), so that what answers works.
"""

from __future__ import annotations

import os
import socket
import tempfile
from pathlib import Path

from prometheus_client import CollectorRegistry

from kilonova.agent.local import driver_factory
from kilonova.api.framework import Limits, RouteRow, describe_routes
from kilonova.bootstrap.agent import HostPlan, host_setups, make_hosts, numbered
from kilonova.bootstrap.api import ApiParts, ApiRole, make_connections, make_images
from kilonova.bootstrap.conductor import ConductorRole, ConductorWiring
from kilonova.bootstrap.first_start import CREDENTIALS_FILE, FirstStart, write_credentials
from kilonova.bootstrap.key_stores import embedded_key_store
from kilonova.bootstrap.scheduler import make_scheduler
from kilonova.daemon.life import Component
from kilonova.domain.addresses import ip_network, is_loopback
from kilonova.domain.clock import Ids, SystemClock
from kilonova.faults import Faults
from kilonova.identity.rotate_keys import ensure_wrapped
from kilonova.identity.service import build_identity
from kilonova.network.changes import Changes
from kilonova.network.defaults import DefaultNetwork
from kilonova.network.embedded import EmbeddedNetworks
from kilonova.network.networks import NetworkSettings
from kilonova.reconcilers.base import Reconciler
from kilonova.reconcilers.guest_reach import GuestReachReconciler, ReachSettings
from kilonova.reconcilers.identity_housekeeping import IdentityHousekeeping
from kilonova.reconcilers.purge import PurgeReconciler
from kilonova.reconcilers.service_pulse import ServicePulse
from kilonova.rpc.inprocess import InProcessBus
from kilonova.rpc.stamped import StampedBus
from kilonova.runtime import Runtime
from kilonova.settings import CloudSettings, load
from kilonova.store.database import Database
from kilonova.store.epoch import Epoch
from kilonova.store.queries import hosts
from kilonova.store.room import MIB
from kilonova.store.schema import ensure_schema


class Cloud:
    """One cloud in one process. Made stopped."""

    def __init__(self, settings: CloudSettings) -> None:
        self.settings = settings
        self.faults, self.clock, ids = Faults(os.environ), SystemClock(), Ids()
        db = Database(settings.database_url, durable=settings.durable)
        self.epoch = Epoch(db, self.clock, ids)
        bus = StampedBus(self.faults.bus(InProcessBus()), self.epoch)
        self.runtime = Runtime(db=db, bus=bus, clock=self.clock, ids=ids, epoch=self.epoch, name=socket.gethostname())
        self.identity = build_identity(
            self.runtime.db, self.clock, self.runtime.ids, key_store=embedded_key_store(settings.data_dir)
        )
        self.images = make_images(self.runtime, settings.data_dir / "images", settings.image_reserve_mib)
        self.changes = Changes(self.runtime.bus, self.clock)
        self.reach = GuestReachReconciler(
            self.runtime.db, ReachSettings(closed=settings.closed_to_guests, opened=settings.open_to_guests)
        )
        self.networks = EmbeddedNetworks(self.runtime.ids, self.changes, self.reach.now)
        self.scheduler = make_scheduler(self.runtime, settings.scheduler)
        self.conductor = ConductorRole(
            self.runtime,
            ConductorWiring(
                networks=self.networks,
                host_defaults=settings.host_defaults,
                housekeeping=self._housekeeping(),
                on_journal=self.faults.on_journal,
                saga_workers=settings.saga_workers,
            ),
        )
        self.host_plan = _host_plan(settings)
        self.hosts = make_hosts(self.host_plan, self.images.bits, self.runtime.bus, self.clock)
        self.connections = make_connections(settings.api)
        self.api = ApiRole(self.runtime, self._api_parts())
        self.services, self.app = self.api.services, self.api.app
        self._roles: list[Component] = [self.api, self.scheduler, self.conductor, self.hosts]

    def start(self) -> None:
        """Bring up everything but the listener; at the first start, write the credentials down."""
        ensure_schema(self.runtime.db)
        self.epoch.read()
        self._first_start()
        ensure_wrapped(self.identity.keys)
        self._vouch_for_hosts()
        for role in self._roles:
            role.start()

    def stop(self) -> None:
        """Finish what is under way, and let go. Guests go on running."""
        for role in reversed(self._roles):
            role.stop()
        self.runtime.db.close()

    def chosen(self) -> dict[str, str]:
        """What it runs on, in words."""
        database = "SQLite, every commit synced" if self.settings.durable else "SQLite"
        return {"database": database, "bus": "in-process", **self.hosts.describe()}

    def _housekeeping(self) -> list[Reconciler]:
        runtime = self.runtime
        return [
            self.reach,
            ServicePulse(runtime, binaries=("nova-conductor", "nova-scheduler")),
            IdentityHousekeeping(self.identity),
            PurgeReconciler(runtime.db, self.clock, self.settings.retention),
        ]

    def _first_start(self) -> None:
        path = self.settings.data_dir / CREDENTIALS_FILE
        first = FirstStart(
            base_url=self.settings.base_url,
            network=self._default_network(),
            keep=lambda made: write_credentials(path, made),
        )
        first(self.runtime, self.identity)

    def _vouch_for_hosts(self) -> None:
        """Our hosts were silent because we were away: what waits for them shall wait on, not give them up for dead."""
        with self.runtime.db.write() as tx:
            hosts.seen(tx, list(self.host_plan.names), self.clock.now())

    def _default_network(self) -> DefaultNetwork:
        return DefaultNetwork(
            cidr=self.settings.network_cidr,
            carried=NetworkSettings(reserved=tuple(map(ip_network, self.settings.reserved_ranges))),
        )

    def _api_parts(self) -> ApiParts:
        return ApiParts(
            identity=self.identity,
            images=self.images,
            networks=self.networks,
            changes=self.changes,
            default_network=self._default_network(),
            policy_file=self.settings.data_dir / "policy.yaml",
            chosen=self.chosen,
            last_runs=self.conductor.last_runs,
            registry=CollectorRegistry(),
            connections=self.connections,
            limits=Limits.of(self.settings.api),
            allowed_origins=self.settings.api.allowed_origins,
            scheduler=self.settings.scheduler,
            is_local=is_loopback(self.settings.host),
            database_reserve=self.settings.database_reserve_mib * MIB,
        )


def route_rows() -> list[RouteRow]:
    """Every route of every service, from the tables alone."""
    with tempfile.TemporaryDirectory(prefix="kilonova-routes-") as folder:
        cloud = Cloud(CloudSettings(data_dir=Path(folder), hypervisor="sim", sim_hosts=0))
        return describe_routes(cloud.services)


def purge(data_dir: Path) -> None:
    """Leave nothing of a stopped cloud on this machine's hypervisor and networks; its data directory is the caller's."""
    settings = load(data_dir)
    if settings is None:
        return
    cloud = Cloud(settings)
    make = driver_factory(settings.hypervisor)
    for setup in host_setups(cloud.host_plan, cloud.images.bits, cloud.clock):
        make(setup).purge()
    cloud.runtime.db.close()


def _host_plan(settings: CloudSettings) -> HostPlan:
    options = {"pace": str(settings.sim_pace), "accelerator": settings.accelerator}
    options |= {"image_backend": settings.image_backend, "guest_dir": str(settings.guest_dir or "")}
    return HostPlan(
        hypervisor=settings.hypervisor,
        names=numbered("sim", settings.sim_hosts) if settings.hypervisor == "sim" else (socket.gethostname(),),
        folder=settings.data_dir / "hosts",
        options=options,
    )
