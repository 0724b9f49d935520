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
from kilonova.runtime import Runtime


class ComputePorts(msgspec.Struct, frozen=True, kw_only=True):
    """What the compute service stands on: a runtime, and its neighbours."""

    runtime: Runtime
    images: Images
    nics: NicResolver
    networks: Networks
    projects: Projects
    bounds: Bounds = Bounds()
    supported: Supported = msgspec.field(default_factory=Supported)


def compute_service(ports: ComputePorts) -> Service:
    """The Compute service at `/compute/v2.1`."""
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
    key_pairs = KeyPairs(ports.runtime)
    yield from bind(keypairs.ROUTES, keypairs.KeyPairs(ports.runtime, use_cases=key_pairs))
    yield from _operator_routes(ports)
    yield from _grouping_routes(ports)
    yield from gone.ROUTES
    yield from absent.ROUTES


def _server_routes(ports: ComputePorts) -> Iterator[Route]:
    runtime = ports.runtime
    boot = BootServers(runtime, images=ports.images, nics=ports.nics, bounds=ports.bounds, supported=ports.supported)
    delete, update = DeleteServer(runtime), UpdateServerRecord(runtime)
    resource = servers.Servers(runtime, delete=delete, boot=boot, update=update)
    yield from bind(lists.ROUTES, lists.ServerLists(runtime))
    yield from bind(servers.ROUTES, resource)


def _server_part_routes(ports: ComputePorts) -> Iterator[Route]:
    runtime = ports.runtime
    edit = EditMetadata(runtime)
    doing = actions.ServerActions(lock=LockServer(runtime), reset=ResetState(runtime), console=ReadConsole(runtime))
    yield from bind(metadata.ROUTES, metadata.ServerMetadata(runtime, edit=edit))
    yield from bind(tags.ROUTES, tags.ServerTags(runtime, edit=EditTags(runtime)))
    yield from bind(networks.ROUTES, networks.ServerNetworks(runtime))
    yield from bind(timeline.ROUTES, timeline.Timeline(runtime))
    yield from bind(actions.ROUTES, doing)


def _flavor_routes(ports: ComputePorts) -> Iterator[Route]:
    runtime = ports.runtime
    use_cases = Flavors(runtime, supported=ports.supported)
    access = flavor_parts.FlavorAccess(runtime, use_cases=use_cases, projects=ports.projects)
    yield from bind(flavors.ROUTES, flavors.Flavors(runtime, use_cases=use_cases))
    yield from bind(flavor_parts.SPEC_ROUTES, flavor_parts.ExtraSpecs(runtime, use_cases=use_cases))
    yield from bind(flavor_parts.ACCESS_ROUTES, access)


def _operator_routes(ports: ComputePorts) -> Iterator[Route]:
    runtime = ports.runtime
    switch = SwitchServices(runtime)
    limiting = Quotas(runtime, projects=ports.projects)
    hosts = hypervisors.Hypervisors(runtime, uptime=ReadUptime(runtime))
    yield from bind(limits.ROUTES, limits.Limits(runtime))
    yield from bind(quotas.SET_ROUTES, quotas.QuotaSets(runtime, use_cases=limiting))
    yield from bind(quotas.CLASS_ROUTES, quotas.QuotaClasses(runtime, use_cases=limiting))
    yield from bind(zones.ROUTES, zones.Zones(runtime))
    yield from bind(services.ROUTES, services.Services(runtime, switch=switch))
    yield from bind(hypervisors.ROUTES, hosts)


def _grouping_routes(ports: ComputePorts) -> Iterator[Route]:
    runtime = ports.runtime
    of_hosts = Aggregates(runtime, images=ports.images)
    of_servers = ServerGroups(runtime)
    yield from bind(aggregates.ROUTES, aggregates.Aggregates(runtime, use_cases=of_hosts))
    yield from bind(server_groups.ROUTES, server_groups.ServerGroups(runtime, use_cases=of_servers))
