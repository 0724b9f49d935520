"""Availability zones, and how many addresses networks have left."""

from __future__ import annotations

from typing import Any

import msgspec

from kilonova.api.framework import UNSET, Maybe, Page, Request, Route, View
from kilonova.api.framework.types import IntLike
from kilonova.api.network.common import ListQuery, read_listing, scope, text
from kilonova.domain.errors import Missing
from kilonova.network.availability import NetworkUse, SubnetUse, of_networks
from kilonova.store.database import Database
from kilonova.store.queries import networks
from kilonova.store.queries.network_rows import Listing

IP_VERSION = "ip_version"
ATTRIBUTES = {
    "network_id": ("id", text),
    "network_name": ("name", text),
    "project_id": ("project_id", text),
    "tenant_id": ("project_id", text),
    IP_VERSION: (IP_VERSION, text),
}


class UseQuery(ListQuery):
    """Which networks, and subnets of which IP version."""

    ip_version: Maybe[IntLike] = UNSET


# A range of IPv6 has more addresses than JSON readers have numbers for.
_MOST = 2**63 - 1


class ZoneView(View):
    """A zone, for one kind of resource."""

    name: str
    resource: str
    state: str


class SubnetUseView(View):
    """Addresses of a subnet."""

    subnet_id: str
    subnet_name: str
    ip_version: int
    cidr: str
    total_ips: int
    used_ips: int


class NetworkUseView(View):
    """Addresses of a network."""

    network_id: str
    network_name: str
    project_id: str
    tenant_id: str
    total_ips: int
    used_ips: int
    subnet_ip_availability: list[SubnetUseView]


class AvailabilityResource:
    """The handlers."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def zones(self, _: Request[None, Any]) -> Page:
        """The zones that have hosts; each host serves every network itself."""
        with self._database.read() as tx:
            return Page([ZoneView(name=name, resource="network", state="available") for name in networks.zones(tx)])

    def index(self, req: Request[None, UseQuery]) -> Page:
        """Every network's addresses."""
        listing = read_listing(req, ATTRIBUTES)
        networks_alone = {name: values for name, values in listing.filters.items() if name != IP_VERSION}
        with self._database.read() as tx:
            found = of_networks(tx, scope(req.ctx), msgspec.structs.replace(listing, filters=networks_alone))
        return Page([_view(one, req.query.ip_version) for one in found])

    def show(self, req: Request[None, Any]) -> NetworkUseView:
        """One network's addresses."""
        with self._database.read() as tx:
            found = of_networks(tx, scope(req.ctx), Listing(filters={"id": [req.path["network_id"]]}))
        if not found:
            raise Missing("Network", req.path["network_id"])
        return _view(found[0])


def _view(one: NetworkUse, version: Maybe[int] = UNSET) -> NetworkUseView:
    its = [_subnet(use) for use in one.subnets if version in (UNSET, use.subnet.ip_version)]
    return NetworkUseView(
        network_id=one.network.id, network_name=one.network.name, project_id=one.network.project_id,
        tenant_id=one.network.project_id, total_ips=min(_MOST, sum(view.total_ips for view in its)),
        used_ips=sum(view.used_ips for view in its), subnet_ip_availability=its,
    )  # fmt: skip


def _subnet(use: SubnetUse) -> SubnetUseView:
    return SubnetUseView(
        subnet_id=use.subnet.id, subnet_name=use.subnet.name, ip_version=use.subnet.ip_version, cidr=use.subnet.cidr,
        total_ips=min(_MOST, use.total_in_pools), used_ips=use.used,
    )  # fmt: skip


_ALL, _ONE = "/network-ip-availabilities", "/network-ip-availabilities/{network_id}"
R = AvailabilityResource
ROUTES = (
    Route("GET", "/availability_zones", R.zones, policy="get_availability_zone", view=ZoneView, view_key="availability_zones"),
    Route("GET", _ALL, R.index, policy="get_network_ip_availability", query=UseQuery, view=NetworkUseView,
          view_key="network_ip_availabilities"),
    Route("GET", _ONE, R.show, policy="get_network_ip_availability", view=NetworkUseView,
          view_key="network_ip_availability"),
)  # fmt: skip
