"""
The only file that knows concrete classes: it makes a cloud from its settings.

The order of `start` is the order of need: records, then who decides (scheduler), then who acts on decisions (conductor), then the
hosts, which join as they would over a network. The listener is the process' own (`process.py`), so that what answers works.
"""

from __future__ import annotations

import os
import socket
import tempfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import msgspec
from prometheus_client import CollectorRegistry

import kilonova
from kilonova.agent.hypervisor.port import HostSetup
from kilonova.agent.local import LocalHosts, driver_factory
from kilonova.api import operations
from kilonova.api.compute.policies import POLICIES as COMPUTE_POLICIES
from kilonova.api.compute.service import ComputePorts, compute_service
from kilonova.api.framework import Policy, Rim, RimMetrics, RouteRow, Service, describe_routes
from kilonova.api.identity import identity_service
from kilonova.api.identity.policies import POLICIES as IDENTITY_POLICIES
from kilonova.api.image import image_service
from kilonova.api.image.policies import POLICIES as IMAGE_POLICIES
from kilonova.api.network.policies import POLICIES as NETWORK_POLICIES
from kilonova.api.network.service import network_service
from kilonova.api.placement.policies import POLICIES as PLACEMENT_POLICIES
from kilonova.api.placement.service import placement_service
from kilonova.compute.first_start import ensure_flavors
from kilonova.conductor.audit import Audit
from kilonova.conductor.kernel.definition import Definition
from kilonova.conductor.kernel.runner import Runner
from kilonova.conductor.reconcilers.base import Reconciler, Reconcilers
from kilonova.conductor.reconcilers.power_state import PowerStateReconciler
from kilonova.conductor.reconcilers.service_pulse import ServicePulse
from kilonova.conductor.sagas.boot import boot_saga
from kilonova.conductor.sagas.delete import delete_saga
from kilonova.conductor.service import Conductor, ConductorParts
from kilonova.domain.clock import Ids, SystemClock
from kilonova.faults import Faults
from kilonova.identity.bootstrap import CatalogService, Credentials, admin_project, ensure_first_start
from kilonova.identity.directory import ProjectDirectory
from kilonova.identity.housekeeping import IdentityHousekeeping
from kilonova.identity.service import build_identity
from kilonova.image import recovery
from kilonova.image.bits import FileBits
from kilonova.image.catalog import EveryImage, ImageCatalog
from kilonova.image.service import ImageService
from kilonova.network.backing import Backing
from kilonova.network.defaults import DefaultNetwork, ensure_default
from kilonova.network.embedded import EmbeddedNetworks
from kilonova.network.networks import NetworkSettings
from kilonova.network.notify import HostNotifier
from kilonova.network.resolve import NicResolver
from kilonova.rpc.inprocess import InProcessBus
from kilonova.scheduler.service import SchedulerService
from kilonova.scheduler.settings import SchedulerSettings
from kilonova.settings import CloudSettings, load
from kilonova.store.database import Database
from kilonova.store.queries import hosts
from kilonova.store.queries.hosts import HostDefaults
from kilonova.store.schema import ensure_schema

CREDENTIALS_FILE = "credentials.json"
_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
_CONTROL_PLANE = ("nova-conductor", "nova-scheduler")
_CATALOG = (
    CatalogService("identity", "keystone", "/identity/v3"),
    CatalogService("compute", "nova", "/compute/v2.1"),
    CatalogService("image", "glance", "/image"),
    CatalogService("network", "neutron", "/networking"),
    CatalogService("placement", "placement", "/placement"),
)
_POLICIES = (
    *IDENTITY_POLICIES,
    *COMPUTE_POLICIES,
    *IMAGE_POLICIES,
    *NETWORK_POLICIES,
    *PLACEMENT_POLICIES,
    *operations.POLICIES,
)


class Cloud:
    """One cloud in one process. Made stopped."""

    def __init__(self, settings: CloudSettings) -> None:
        self.settings = settings
        self.clock, self.ids = SystemClock(), Ids()
        self.faults = Faults(os.environ)
        self.bus = self.faults.bus(InProcessBus())
        self.db = Database(settings.database_url, durable=settings.durable)
        self.identity = build_identity(self.db, self.clock, self.ids)
        self.image_service = ImageService(
            database=self.db, clock=self.clock, ids=self.ids, bits=FileBits(settings.data_dir / "images")
        )
        self.notifier = HostNotifier(self.db, self.bus, self.clock)
        self.networks = EmbeddedNetworks(self.ids, self.notifier)
        self.scheduler = SchedulerService(self.db, self.bus, self.clock, SchedulerSettings())
        self.reconcilers = Reconcilers(self._reconcilers(), self.clock)
        self.conductor = self._conductor()
        self.hosts = LocalHosts(settings.hypervisor, list(self.host_setups()), _boot_id(), self.bus, self.clock)
        self.registry = CollectorRegistry()
        self.services = self._services()
        self.app = Rim(
            self.services,
            authenticator=self.identity.authenticator,
            policy=Policy(_POLICIES, overrides=_existing(settings.data_dir / "policy.yaml")),
            metrics=RimMetrics(self.registry),
        )

    def start(self) -> None:
        """Bring up everything but the listener; at the first start, write the credentials down."""
        ensure_schema(self.db)
        self._first_start()
        recovery.recover(self.image_service)
        self._vouch_for_hosts()
        self.scheduler.start()
        self.conductor.start()
        self.hosts.start()

    def stop(self) -> None:
        """Finish what is under way, and let go. Guests go on running."""
        self.hosts.stop()
        self.conductor.stop()
        self.scheduler.stop()
        self.db.close()

    def chosen(self) -> dict[str, str]:
        """What it runs on, in words."""
        database = "SQLite, every commit synced" if self.settings.durable else "SQLite"
        return {"database": database, "bus": "in-process", **self.hosts.describe()}

    def _first_start(self) -> None:
        with self.db.write() as tx:
            made = ensure_first_start(tx, self.identity, self.settings.base_url, _CATALOG)
            if made is None:
                return  # what people have deleted since is not made again
            ensure_flavors(tx, self.clock.now())
            ensure_default(tx, self._default_network(), admin_project(tx).id, ids=self.ids, now=self.clock.now())
            # Before the commit: a first start killed in between is a first start again.
            write_credentials(self.settings.data_dir, made)

    def _vouch_for_hosts(self) -> None:
        """Our hosts were silent because we were away: what waits for them shall wait on, not give them up for dead."""
        with self.db.write() as tx:
            hosts.seen(tx, [setup.name for setup in self.host_setups()], self.clock.now())

    def _backing(self) -> Backing:
        return Backing(self.db, self.clock, self.ids, self.notifier)

    def _default_network(self) -> DefaultNetwork:
        return DefaultNetwork(cidr=self.settings.network_cidr)

    def _reconcilers(self) -> list[Reconciler]:
        return [
            PowerStateReconciler(self.db, self.bus, self.clock),
            ServicePulse(self.db, self.clock, self.ids, host=socket.gethostname(), binaries=_CONTROL_PLANE),
            IdentityHousekeeping(self.identity),
        ]

    def _conductor(self) -> Conductor:
        definitions: list[Definition] = [
            boot_saga(self.bus, self.networks, EveryImage(self.db)),
            delete_saga(self.bus, self.networks),
        ]
        runner = Runner(
            self.db,
            self.bus,
            self.clock,
            definitions,
            owner=socket.gethostname(),
            workers=self.settings.saga_workers,
            on_journal=self.faults.on_journal,
        )
        parts = ConductorParts(
            db=self.db,
            bus=self.bus,
            clock=self.clock,
            ids=self.ids,
            runner=runner,
            reconcilers=self.reconcilers,
            networks=self.networks,
            host_defaults=HostDefaults(),
        )
        return Conductor(parts)

    def host_setups(self) -> Iterator[HostSetup]:
        """How each host of this process is made."""
        options = {"pace": str(self.settings.sim_pace), "accelerator": self.settings.accelerator}
        options |= {"image_backend": self.settings.image_backend, "guest_dir": str(self.settings.guest_dir or "")}
        is_sim = self.settings.hypervisor == "sim"
        names = [f"sim-{i}" for i in range(1, self.settings.sim_hosts + 1)] if is_sim else [socket.gethostname()]
        for name in names:
            folder = self.settings.data_dir / "hosts" / name
            yield HostSetup(
                name=name, data_dir=folder, images=self.image_service.bits, clock=self.clock, options=options
            )

    def _services(self) -> list[Service]:
        compute = ComputePorts(
            database=self.db,
            bus=self.bus,
            clock=self.clock,
            ids=self.ids,
            images=ImageCatalog(self.db),
            nics=NicResolver(self.clock, self.ids, self._default_network()),
            networks=self.networks,
            projects=ProjectDirectory(self.db),
        )
        audit = Audit(self.db, self.bus, self.clock, [partial(recovery.audit, self.image_service)])
        about = operations.Operations(kilonova.__version__, self.chosen, audit, self.reconcilers.last_runs)
        return [
            identity_service(self.identity),
            compute_service(compute),
            image_service(self.image_service),
            network_service(self._backing(), NetworkSettings()),
            placement_service(database=self.db, bus=self.bus, clock=self.clock, ids=self.ids, images=compute.images),
            operations.operations_service(about),
            operations.metrics_service(operations.Metrics(self.registry)),
        ]


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
    for setup in cloud.host_setups():
        make(setup).purge()
    cloud.db.close()


def write_credentials(data_dir: Path, made: Credentials) -> None:
    """Keep the first passwords where only their owner can read them."""
    path = data_dir / CREDENTIALS_FILE
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(msgspec.json.encode(made))


def _boot_id() -> str:
    return _BOOT_ID.read_text().strip() if _BOOT_ID.exists() else "unknown"


def _existing(path: Path) -> Path | None:
    return path if path.exists() else None
