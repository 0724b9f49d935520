"""The compute service as the rim serves it: every resource bound to its use cases."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from kilonova.api.compute import (
    absent,
    aggregates,
    extensions,
    flavor_parts,
    flavors,
    gone,
    hypervisors,
    keypairs,
    limits,
    quotas,
    server_groups,
    services,
    versions,
    zones,
)  # fmt: skip
from kilonova.api.compute.servers import actions, lists, metadata, networks, tags, timeline
from kilonova.api.compute.servers import resource as servers
from kilonova.api.framework import COMPUTE, Microversions, Route, Service, bind
from kilonova.compute.aggregates import Aggregates
from kilonova.compute.backlog import Bounds
from kilonova.compute.boot import BootServers
from kilonova.compute.console import ReadConsole
from kilonova.compute.delete import DeleteServer
from kilonova.compute.flavors import Flavors
from kilonova.compute.keypairs import KeyPairs
from kilonova.compute.lock import LockServer
from kilonova.compute.metadata import EditMetadata
from kilonova.compute.neighbours import Images, NicResolver, Projects
from kilonova.compute.quotas import Quotas
from kilonova.compute.reset_state import ResetState
from kilonova.compute.server_groups import ServerGroups
from kilonova.compute.services import SwitchServices
from kilonova.compute.supported import Supported
from kilonova.compute.tags import EditTags
from kilonova.compute.update import UpdateServerRecord
from kilonova.compute.uptime import ReadUptime
from kilonova.conductor.neighbours import Networks
from kilonova.domain.clock import Clock, Ids
from kilonova.rpc.bus import Bus
from kilonova.store.database import Database


class ComputePorts(msgspec.Struct, frozen=True, kw_only=True):
    """What the compute service stands on."""

    database: Database
    bus: Bus
    clock: Clock
    ids: Ids
    images: Images
    nics: NicResolver
    networks: Networks
    projects: Projects
    bounds: Bounds = Bounds()
    supported: Supported = msgspec.field(default_factory=Supported)


def compute_service(ports: ComputePorts) -> Service:
    """The service, wired."""
    return Service(
        "compute", mount="/compute", prefix="/v2.1", style=COMPUTE, routes=_routes(ports),
        root_routes=bind(versions.ROOT_ROUTES, versions.Versions()), project_in_path=True, tell_methods=False,
        microversions=Microversions("compute", versions.FIRST, versions.LAST, "X-OpenStack-Nova-API-Version"),
    )  # fmt: skip


def _routes(ports: ComputePorts) -> Iterator[Route]:
    yield from bind(versions.ROUTES, versions.Versions())
    yield from extensions.ROUTES
    yield from _server_routes(ports)
    yield from _server_part_routes(ports)
    yield from _flavor_routes(ports)
    key_pairs = KeyPairs(database=ports.database, clock=ports.clock)
    yield from bind(keypairs.ROUTES, keypairs.KeyPairs(database=ports.database, use_cases=key_pairs))
    yield from _operator_routes(ports)
    yield from _grouping_routes(ports)
    yield from gone.ROUTES
    yield from absent.ROUTES


def _server_routes(ports: ComputePorts) -> Iterator[Route]:
    database, bus, clock, ids = ports.database, ports.bus, ports.clock, ports.ids
    resource = servers.Servers(
        database=database, clock=clock, delete=DeleteServer(database=database, bus=bus, clock=clock, ids=ids),
        boot=BootServers(
            database=database, bus=bus, clock=clock, ids=ids, images=ports.images, nics=ports.nics, bounds=ports.bounds,
            supported=ports.supported,
        ),
        update=UpdateServerRecord(database=database, bus=ports.bus, clock=clock),
    )  # fmt: skip
    yield from bind(lists.ROUTES, lists.ServerLists(database=database, clock=clock))
    yield from bind(servers.ROUTES, resource)


def _server_part_routes(ports: ComputePorts) -> Iterator[Route]:
    database, clock = ports.database, ports.clock
    edit = EditMetadata(database=database, bus=ports.bus, clock=clock)
    doing = actions.ServerActions(
        lock=LockServer(database=database, clock=clock, ids=ports.ids), reset=ResetState(database=database, clock=clock),
        console=ReadConsole(database=database, bus=ports.bus),
    )  # fmt: skip
    yield from bind(metadata.ROUTES, metadata.ServerMetadata(database=database, edit=edit))
    yield from bind(tags.ROUTES, tags.ServerTags(database=database, edit=EditTags(database=database, clock=clock)))
    yield from bind(networks.ROUTES, networks.ServerNetworks(database=database))
    yield from bind(timeline.ROUTES, timeline.Timeline(database=database))
    yield from bind(actions.ROUTES, doing)


def _flavor_routes(ports: ComputePorts) -> Iterator[Route]:
    database = ports.database
    use_cases = Flavors(database=database, clock=ports.clock, ids=ports.ids, supported=ports.supported)
    access = flavor_parts.FlavorAccess(database=database, use_cases=use_cases, projects=ports.projects)
    yield from bind(flavors.ROUTES, flavors.Flavors(database=database, use_cases=use_cases))
    yield from bind(flavor_parts.SPEC_ROUTES, flavor_parts.ExtraSpecs(database=database, use_cases=use_cases))
    yield from bind(flavor_parts.ACCESS_ROUTES, access)


def _operator_routes(ports: ComputePorts) -> Iterator[Route]:
    database, clock, bus = ports.database, ports.clock, ports.bus
    switch = SwitchServices(database=database, bus=bus, clock=clock)
    limiting = Quotas(database=database, projects=ports.projects)
    hosts = hypervisors.Hypervisors(database=database, clock=clock, uptime=ReadUptime(bus=bus))
    yield from bind(limits.ROUTES, limits.Limits(database=database))
    yield from bind(quotas.SET_ROUTES, quotas.QuotaSets(database=database, use_cases=limiting))
    yield from bind(quotas.CLASS_ROUTES, quotas.QuotaClasses(database=database, use_cases=limiting))
    yield from bind(zones.ROUTES, zones.Zones(database=database, clock=clock))
    yield from bind(services.ROUTES, services.Services(database=database, clock=clock, switch=switch))
    yield from bind(hypervisors.ROUTES, hosts)


def _grouping_routes(ports: ComputePorts) -> Iterator[Route]:
    database, clock, ids = ports.database, ports.clock, ports.ids
    of_hosts = Aggregates(database=database, bus=ports.bus, clock=clock, ids=ids, images=ports.images)
    of_servers = ServerGroups(database=database, clock=clock, ids=ids)
    yield from bind(aggregates.ROUTES, aggregates.Aggregates(database=database, use_cases=of_hosts))
    yield from bind(server_groups.ROUTES, server_groups.ServerGroups(database=database, use_cases=of_servers))
