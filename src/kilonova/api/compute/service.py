"""The compute service as the rim serves it: every resource bound to its use cases."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from kilonova.api.compute import flavor_parts, flavors, keypairs, versions
from kilonova.api.compute.servers import lists
from kilonova.api.compute.servers import resource as servers
from kilonova.api.framework import COMPUTE, Microversions, Route, Service, bind
from kilonova.compute.boot import BootServers
from kilonova.compute.delete import DeleteServer
from kilonova.compute.flavors import Flavors
from kilonova.compute.keypairs import KeyPairs
from kilonova.compute.ports import Images, NicResolver, Projects
from kilonova.compute.tell_guest import TellGuest
from kilonova.compute.update import UpdateServerRecord
from kilonova.conductor.ports import Networks
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


def compute_service(ports: ComputePorts) -> Service:
    """The service, wired."""
    return Service(
        "compute", mount="/compute", prefix="/v2.1", style=COMPUTE, routes=_routes(ports),
        root_routes=bind(versions.ROOT_ROUTES, versions.Versions()), project_in_path=True, tell_methods=False,
        microversions=Microversions("compute", versions.FIRST, versions.LAST, "X-OpenStack-Nova-API-Version"),
    )  # fmt: skip


def _routes(ports: ComputePorts) -> Iterator[Route]:
    yield from bind(versions.ROUTES, versions.Versions())
    yield from _server_routes(ports)
    yield from _flavor_routes(ports)
    key_pairs = KeyPairs(database=ports.database, clock=ports.clock)
    yield from bind(keypairs.ROUTES, keypairs.KeyPairs(database=ports.database, use_cases=key_pairs))


def _server_routes(ports: ComputePorts) -> Iterator[Route]:
    database, bus, clock, ids = ports.database, ports.bus, ports.clock, ports.ids
    tell_guest = TellGuest(bus=bus, ids=ids, networks=ports.networks)
    boot = BootServers(database=database, bus=bus, clock=clock, ids=ids, images=ports.images, nics=ports.nics)
    resource = servers.Servers(
        database=database, clock=clock, boot=boot, delete=DeleteServer(database=database, bus=bus, clock=clock, ids=ids),
        update=UpdateServerRecord(database=database, clock=clock, tell_guest=tell_guest),
    )  # fmt: skip
    yield from bind(lists.ROUTES, lists.ServerLists(database=database, clock=clock))
    yield from bind(servers.ROUTES, resource)


def _flavor_routes(ports: ComputePorts) -> Iterator[Route]:
    database = ports.database
    use_cases = Flavors(database=database, clock=ports.clock, ids=ports.ids)
    access = flavor_parts.FlavorAccess(database=database, use_cases=use_cases, projects=ports.projects)
    yield from bind(flavors.ROUTES, flavors.Flavors(database=database, use_cases=use_cases))
    yield from bind(flavor_parts.SPEC_ROUTES, flavor_parts.ExtraSpecs(database=database, use_cases=use_cases))
    yield from bind(flavor_parts.ACCESS_ROUTES, access)
