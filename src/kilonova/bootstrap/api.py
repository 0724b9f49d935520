"""Wires the API: every service, and the rim that they share."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from prometheus_client import CollectorRegistry

from kilonova.api import explain, operations, rebalance
from kilonova.api.compute.policies import POLICIES as COMPUTE_POLICIES
from kilonova.api.compute.service import ComputePorts, compute_service
from kilonova.api.framework import Limits, Policy, Rim, RimMetrics, Service, bind
from kilonova.api.framework.connections import ConnectionLimits, Connections
from kilonova.api.framework.door import FrontDoor
from kilonova.api.framework.events import EventStream
from kilonova.api.framework.mounts import Mount
from kilonova.api.hosts import POLICIES as HOSTS_POLICIES
from kilonova.api.hosts import hosts_service
from kilonova.api.identity import identity_service
from kilonova.api.identity.policies import POLICIES as IDENTITY_POLICIES
from kilonova.api.image import image_service
from kilonova.api.image.policies import POLICIES as IMAGE_POLICIES
from kilonova.api.network.policies import POLICIES as NETWORK_POLICIES
from kilonova.api.network.service import network_service
from kilonova.api.operations import events, keys
from kilonova.api.placement.policies import POLICIES as PLACEMENT_POLICIES
from kilonova.api.placement.service import placement_service
from kilonova.api.settings import ApiSettings
from kilonova.compute.ask_placement import AskPlacement
from kilonova.compute.backlog import Bounds
from kilonova.compute.host_access import HostAccess
from kilonova.compute.supported import Supported
from kilonova.conductor.audit import Audit
from kilonova.conductor.refusals import RefusalLog
from kilonova.daemon.descriptors import descriptor_limit
from kilonova.identity.directory import ProjectDirectory
from kilonova.identity.service import Identity
from kilonova.image import recovery
from kilonova.image.bits import FileBits
from kilonova.image.catalog import ImageCatalog
from kilonova.image.limits import ImageLimits
from kilonova.image.service import ImageService
from kilonova.network.changes import Changes
from kilonova.network.defaults import DefaultNetwork
from kilonova.network.embedded import EmbeddedNetworks
from kilonova.network.resolve import NicResolver
from kilonova.rebalance.records import Rebalancing
from kilonova.reconcilers.base import LastRun
from kilonova.rpc.host_accounts import HostAccounts, NoAccounts
from kilonova.runtime import Runtime
from kilonova.scheduler.settings import SchedulerSettings
from kilonova.store.room import MIB, DatabaseRoom

_POLICIES = (
    *IDENTITY_POLICIES,
    *COMPUTE_POLICIES,
    *IMAGE_POLICIES,
    *NETWORK_POLICIES,
    *PLACEMENT_POLICIES,
    *operations.POLICIES,
    *keys.POLICIES,
    *events.POLICIES,
    *HOSTS_POLICIES,
    *explain.POLICIES,
    *rebalance.POLICIES,
)


@dataclass(frozen=True, kw_only=True)
class ApiParts:
    """
    What an API is made of besides the runtime.

    `policy_file` overrides policies, where it exists. `chosen` says in words what the cloud runs on, `last_runs` what this
    process' reconcilers did last, `scheduler` how schedulers are set up: plans of moves ask the same filters. A process with a
    port for its health shows its metrics there, and not to everybody (`shows_metrics`). `is_local`: its port is loopback's.
    `mounts` stand on the port beside the API's services; pages of `allowed_origins` may open websockets.
    """

    identity: Identity
    images: ImageService
    networks: EmbeddedNetworks
    changes: Changes
    default_network: DefaultNetwork
    policy_file: Path
    chosen: Callable[[], dict[str, str]]
    last_runs: Callable[[], list[LastRun]]
    registry: CollectorRegistry
    accounts: HostAccounts = field(default_factory=NoAccounts)
    public_url: str | None = None
    limits: Limits | None = None
    mounts: Sequence[Mount] = ()
    allowed_origins: Sequence[str] = ()
    connections: Connections = field(default_factory=Connections)
    bounds: Bounds = field(default_factory=Bounds)
    shows_metrics: bool = True
    is_local: bool = False
    scheduler: SchedulerSettings
    database_reserve: int = 0


class ApiRole:
    """The API. `app` is for a listener of the process' own, once it is started."""

    def __init__(self, runtime: Runtime, parts: ApiParts) -> None:
        self._runtime, self._parts = runtime, parts
        self._events = events.Events(runtime.db)
        self.services = self._services()
        for service in self.services:
            service.check_room = DatabaseRoom(runtime.db, parts.database_reserve).check
        self.rim = Rim(
            self.services,
            authenticator=parts.identity.authenticator,
            policy=Policy(_POLICIES, overrides=parts.policy_file if parts.policy_file.exists() else None),
            metrics=RimMetrics(parts.registry),
            public_url=parts.public_url,
            limits=parts.limits,
        )
        self.app = FrontDoor(self.rim, (*parts.mounts, self._event_stream()), origins=parts.allowed_origins)
        self._load = operations.Load(self.rim, parts.connections, parts.identity.throttle)
        parts.registry.register(self._load)

    def start(self) -> None:
        """Put right what a crash left of uploads."""
        recovery.recover(self._parts.images)

    def stop(self) -> None:
        """The listener has drained its requests; nothing else is under way."""

    def _services(self) -> list[Service]:
        runtime, parts = self._runtime, self._parts
        compute = self._compute_ports()
        audit = Audit(runtime.db, runtime.bus, runtime.clock, [partial(recovery.audit, parts.images)])
        about = operations.Operations(parts.chosen, audit, parts.last_runs, lambda: self._load)
        return [
            identity_service(parts.identity),
            compute_service(compute),
            image_service(parts.images),
            network_service(runtime, parts.changes, parts.default_network.carried),
            placement_service(runtime, compute.images),
            operations.operations_service(
                about,
                [
                    *bind(explain.ROUTES, self._placements(compute)),
                    *bind(rebalance.ROUTES, self._rebalances()),
                    *bind(keys.ROUTES, keys.Keys(parts.identity)),
                    *bind(events.ROUTES, self._events),
                ],
            ),
            hosts_service(runtime, self._host_access(), parts.images.bits),
            *self._metrics(),
        ]

    def _event_stream(self) -> Mount:
        return Mount(events.STREAM, "events", EventStream(self._events), policy=events.STREAM_POLICY)

    def _metrics(self) -> list[Service]:
        parts = self._parts
        if not parts.shows_metrics:
            return []
        return [operations.metrics_service(operations.Metrics(parts.registry), is_local=parts.is_local)]

    def _placements(self, compute: ComputePorts) -> explain.Placements:
        ask = AskPlacement(compute.runtime, images=compute.images, supported=compute.supported)
        return explain.Placements(compute.runtime, ask=ask)

    def _rebalances(self) -> rebalance.Rebalances:
        return rebalance.Rebalances(Rebalancing(self._runtime.db, self._runtime.clock, self._parts.scheduler))

    def _host_access(self) -> HostAccess:
        runtime = self._runtime
        refusals = RefusalLog(runtime.db, runtime.clock)
        return HostAccess(runtime, accounts=self._parts.accounts, refusals=refusals)

    def _compute_ports(self) -> ComputePorts:
        runtime, parts = self._runtime, self._parts
        return ComputePorts(
            runtime=runtime,
            images=ImageCatalog(runtime.db),
            nics=NicResolver(runtime.clock, runtime.ids, parts.default_network),
            networks=parts.networks,
            projects=ProjectDirectory(runtime.db),
            bounds=parts.bounds,
            supported=Supported(parts.scheduler.enabled_filters),
        )


def make_connections(settings: ApiSettings) -> Connections:
    """The table of a listener's connections, no more of them than this process may have."""
    return Connections(ConnectionLimits.of(settings).within(descriptor_limit()))


def make_images(runtime: Runtime, folder: Path, reserve_mib: int) -> ImageService:
    """The image service, with its bits in a folder; uploads leave so much of its disk."""
    limits = ImageLimits(disk_reserve=reserve_mib * MIB)
    return ImageService(database=runtime.db, clock=runtime.clock, ids=runtime.ids, bits=FileBits(folder), limits=limits)
