"""Subnets."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from kilonova.api.framework import UNSET, Maybe, Meta, Page, Params, Request, Route, View, reads, wire
from kilonova.api.framework.types import Cidr, Flag, IntLike, IPAddress, Text255, iso_z
from kilonova.api.network.common import (
    COMMON,
    TAGGED,
    Attributes,
    ListQuery,
    ShowQuery,
    asked,
    flag,
    given,
    number,
    only,
    page_of,
    project_of,
    read_listing,
    scope,
    text,
)  # fmt: skip
from kilonova.domain.network import Subnet
from kilonova.network.errors import InvalidInput
from kilonova.network.scoping import found
from kilonova.network.subnets import NewSubnet, Subnets
from kilonova.store.database import Database
from kilonova.store.queries import networks, subnets

ATTRIBUTES: Attributes = {
    **COMMON,
    **TAGGED,
    "network_id": ("network_id", text),
    "ip_version": number("ip_version"),
    "cidr": ("cidr", text),
    "gateway_ip": ("gateway", text),
    "enable_dhcp": flag("dhcp"),
    "ipv6_ra_mode": ("ipv6_ra_mode", text),
    "ipv6_address_mode": ("ipv6_address_mode", text),
}
Ipv6Mode = Literal["dhcpv6-stateful", "dhcpv6-stateless", "slaac"]


class PoolParams(Params):
    """A range of addresses, both ends in it."""

    start: IPAddress
    end: IPAddress


class RouteParams(Params):
    """A route that guests are told."""

    destination: Cidr
    nexthop: IPAddress


def read_pools(value: list[PoolParams]) -> tuple[tuple[str, str], ...]:
    """Pools as the record has them."""
    return tuple((one.start, one.end) for one in value)


def read_routes(value: list[RouteParams]) -> tuple[tuple[str, str], ...]:
    """Routes as the record has them."""
    return tuple((one.destination, one.nexthop) for one in value)


Pairs = tuple[tuple[str, str], ...]


class SubnetChange(Params):
    """What can be changed."""

    name: Maybe[Text255] = UNSET
    description: Maybe[Text255] = UNSET
    gateway: Annotated[Maybe[IPAddress | None], wire("gateway_ip")] = UNSET
    dhcp: Annotated[Maybe[Flag], wire("enable_dhcp")] = UNSET
    pools: Annotated[
        Maybe[Pairs], wire("allocation_pools"), reads(read_pools, Annotated[list[PoolParams], Meta(max_length=128)])
    ] = UNSET
    dns: Annotated[Maybe[list[IPAddress]], wire("dns_nameservers")] = UNSET
    routes: Annotated[Maybe[Pairs], wire("host_routes"), reads(read_routes, list[RouteParams])] = UNSET


class SubnetParams(SubnetChange):
    """What can be said when it is made."""

    project_id: Maybe[Text255] = UNSET
    tenant_id: Maybe[Text255] = UNSET
    network_id: Text255
    ip_version: IntLike = 4
    cidr: Maybe[Cidr] = UNSET
    ipv6_ra_mode: Maybe[Ipv6Mode | None] = UNSET
    ipv6_address_mode: Maybe[Ipv6Mode | None] = UNSET
    subnetpool_id: Maybe[Text255 | None] = UNSET
    use_default_subnetpool: Maybe[Flag] = UNSET
    prefixlen: Maybe[IntLike | None] = UNSET
    service_types: Maybe[list[Text255]] = UNSET


class CreateSubnets(Params):
    """One subnet, or several."""

    subnet: Maybe[SubnetParams] = UNSET
    subnets: Maybe[list[SubnetParams]] = UNSET


class PoolView(View):
    """A range of addresses."""

    start: str
    end: str


class RouteView(View):
    """A route that guests are told."""

    destination: str
    nexthop: str


class SubnetView(View):
    """A subnet."""

    id: Maybe[str] = UNSET
    name: Maybe[str] = UNSET
    description: Maybe[str] = UNSET
    project_id: Maybe[str] = UNSET
    tenant_id: Maybe[str] = UNSET
    network_id: Maybe[str] = UNSET
    ip_version: Maybe[int] = UNSET
    cidr: Maybe[str] = UNSET
    gateway_ip: Maybe[str | None] = UNSET
    enable_dhcp: Maybe[bool] = UNSET
    allocation_pools: Maybe[list[PoolView]] = UNSET
    dns_nameservers: Maybe[list[str]] = UNSET
    dns_publish_fixed_ip: Maybe[bool] = UNSET
    host_routes: Maybe[list[RouteView]] = UNSET
    ipv6_ra_mode: Maybe[str | None] = UNSET
    ipv6_address_mode: Maybe[str | None] = UNSET
    subnetpool_id: Maybe[str | None] = UNSET
    segment_id: Maybe[str | None] = UNSET
    service_types: Maybe[list[str]] = UNSET
    router_external: Annotated[Maybe[bool], wire("router:external")] = UNSET
    tags: Maybe[list[str]] = UNSET
    revision_number: Maybe[int] = UNSET
    created_at: Maybe[str | None] = UNSET
    updated_at: Maybe[str | None] = UNSET


class SubnetsView(View):
    """The answer to a creation: in the form of the question."""

    subnet: Maybe[SubnetView] = UNSET
    subnets: Maybe[list[SubnetView]] = UNSET


def view_of(one: Subnet, *, is_external: bool) -> SubnetView:
    """A subnet as callers see it."""
    return SubnetView(
        id=one.id, name=one.name, description=one.description, project_id=one.project_id, tenant_id=one.project_id,
        network_id=one.network_id, ip_version=one.ip_version, cidr=one.cidr, gateway_ip=one.gateway, enable_dhcp=one.dhcp,
        allocation_pools=[PoolView(start=first, end=last) for first, last in one.pools], dns_nameservers=list(one.dns),
        dns_publish_fixed_ip=False, host_routes=[RouteView(destination=to, nexthop=hop) for to, hop in one.routes],
        ipv6_ra_mode=one.ipv6_ra_mode, ipv6_address_mode=one.ipv6_address_mode, subnetpool_id=None, segment_id=None,
        service_types=[], router_external=is_external, tags=list(one.tags), revision_number=one.revision,
        created_at=iso_z(one.created_at), updated_at=iso_z(one.updated_at),
    )  # fmt: skip


class SubnetResource:
    """The handlers."""

    def __init__(self, database: Database, use: Subnets) -> None:
        self._database, self._use = database, use

    def create(self, req: Request[CreateSubnets, Any]) -> SubnetsView:
        """Make one or several."""
        wanted = [self._wanted(req, one) for one in asked(req.params.subnet, req.params.subnets, "subnet")]
        views = self._views(self._use.create(scope(req.ctx), wanted))
        return SubnetsView(subnets=views) if req.params.subnet is UNSET else SubnetsView(subnet=views[0])

    def _wanted(self, req: Request[Any, Any], params: SubnetParams) -> NewSubnet:
        if params.subnetpool_id or params.use_default_subnetpool is True or params.cidr is UNSET:
            raise InvalidInput("subnet.cidr", "there are no subnet pools here: name the range of the subnet")
        if params.service_types:
            raise InvalidInput("subnet.service_types", "subnets here serve every type of port")
        if params.ip_version not in (4, 6):
            raise InvalidInput("subnet.ip_version", f"{params.ip_version} is neither 4 nor 6")
        with self._database.read() as tx:
            network = found(networks.find(tx, scope(req.ctx), params.network_id), "Network", params.network_id)
        req.authorize("create_subnet", {"network:project_id": network.project_id, "project_id": network.project_id})
        sent = given(params, but=("subnetpool_id", "use_default_subnetpool", "prefixlen", "service_types"))
        return NewSubnet(**sent, project_id=project_of(params))

    def index(self, req: Request[None, ListQuery]) -> Page:
        """The subnets that the caller may see."""
        with self._database.read() as tx:
            rows = subnets.page(tx, scope(req.ctx), read_listing(req, ATTRIBUTES))
        views = {view.id: view for view in self._views(rows)}
        return page_of(req, rows, lambda row: views[row.id])

    def show(self, req: Request[None, ShowQuery]) -> View:
        """One subnet."""
        return only(self._views([self._find(req)])[0], req.query.fields)

    def update(self, req: Request[SubnetChange, Any]) -> SubnetView:
        """Change what was sent."""
        before = self._find(req)
        self._authorize(req, "update_subnet", before)
        return self._views([self._use.update(scope(req.ctx), before.id, given(req.params))])[0]

    def delete(self, req: Request[None, Any]) -> None:
        """Delete it."""
        before = self._find(req)
        self._authorize(req, "delete_subnet", before)
        self._use.delete(scope(req.ctx), before.id)

    def _authorize(self, req: Request[Any, Any], rule: str, subnet: Subnet) -> None:
        with self._database.read() as tx:
            network = networks.by_ids(tx, [subnet.network_id])[subnet.network_id]
        req.authorize(rule, {"project_id": subnet.project_id, "network:project_id": network.project_id})

    def _find(self, req: Request[Any, Any]) -> Subnet:
        with self._database.read() as tx:
            subnet_id = req.path["subnet_id"]
            return found(subnets.find(tx, scope(req.ctx), subnet_id), "Subnet", subnet_id)

    def _views(self, those: list[Subnet]) -> list[SubnetView]:
        with self._database.read() as tx:
            on = networks.by_ids(tx, [one.network_id for one in those])
        return [view_of(one, is_external=on[one.network_id].external) for one in those]


_ALL, _ONE = "/subnets", "/subnets/{subnet_id}"
R = SubnetResource
ROUTES = (
    Route("GET", _ALL, R.index, policy="get_subnet", query=ListQuery, view=SubnetView, view_key="subnets"),
    Route("POST", _ALL, R.create, status=201, policy="create_subnet", late_policy=True, params=CreateSubnets, view=SubnetsView),
    Route("GET", _ONE, R.show, policy="get_subnet", query=ShowQuery, view=SubnetView, view_key="subnet"),
    Route("PUT", _ONE, R.update, policy="update_subnet", late_policy=True, params=SubnetChange, params_key="subnet",
          view=SubnetView, view_key="subnet"),
    Route("DELETE", _ONE, R.delete, status=204, policy="delete_subnet", late_policy=True),
)  # fmt: skip
