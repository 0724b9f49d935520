"""Networks."""

from __future__ import annotations

from typing import Annotated, Any

from kilonova.api.framework import (
    UNSET,
    Maybe,
    Meta,
    Page,
    Params,
    Request,
    Route,
    View,
    wire,
)  # fmt: skip
from kilonova.api.framework.types import Flag, IntLike, Text255, iso_z
from kilonova.api.network.common import (
    COMMON,
    TAGGED,
    Attributes,
    ListQuery,
    ShowQuery,
    asked,
    authorize_fields,
    changed_from,
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
from kilonova.domain.network import Network
from kilonova.network.networks import Networks, NewNetwork
from kilonova.network.scoping import found
from kilonova.store.database import Database, Tx
from kilonova.store.queries import networks

MtuText = Annotated[IntLike, Meta(ge=0, le=65535)]
ATTRIBUTES: Attributes = {
    **COMMON,
    **TAGGED,
    "admin_state_up": flag("admin_up"),
    "shared": flag("shared"),
    "router:external": flag("external"),
    "is_default": flag("is_default"),
    "port_security_enabled": flag("port_security"),
    "mtu": number("mtu"),
    "dns_domain": ("dns_domain", text),
    "status": ("status", text),
    "provider:network_type": ("kind", text),
    "provider:physical_network": ("physical", text),
    "provider:segmentation_id": number("segment"),
}


class NetworkChange(Params):
    """What can be changed."""

    name: Maybe[Text255] = UNSET
    description: Maybe[Text255] = UNSET
    admin_up: Annotated[Maybe[Flag], wire("admin_state_up")] = UNSET
    shared: Maybe[Flag] = UNSET
    external: Annotated[Maybe[Flag], wire("router:external")] = UNSET
    is_default: Maybe[Flag] = UNSET
    port_security: Annotated[Maybe[Flag], wire("port_security_enabled")] = UNSET
    mtu: Maybe[MtuText] = UNSET
    dns_domain: Maybe[Text255] = UNSET


class NetworkParams(NetworkChange):
    """What can be said when it is made."""

    project_id: Maybe[Text255] = UNSET
    tenant_id: Maybe[Text255] = UNSET
    kind: Annotated[Maybe[Text255], wire("provider:network_type")] = UNSET
    physical: Annotated[Maybe[Text255 | None], wire("provider:physical_network")] = UNSET
    segment: Annotated[Maybe[IntLike | None], wire("provider:segmentation_id")] = UNSET
    zone_hints: Annotated[Maybe[Annotated[list[Text255], Meta(max_length=64)]], wire("availability_zone_hints")] = UNSET


class CreateNetworks(Params):
    """One network, or several."""

    network: Maybe[NetworkParams] = UNSET
    networks: Maybe[list[NetworkParams]] = UNSET


class NetworkView(View):
    """A network."""

    id: Maybe[str] = UNSET
    name: Maybe[str] = UNSET
    description: Maybe[str] = UNSET
    project_id: Maybe[str] = UNSET
    tenant_id: Maybe[str] = UNSET
    admin_state_up: Maybe[bool] = UNSET
    status: Maybe[str] = UNSET
    shared: Maybe[bool] = UNSET
    external: Annotated[Maybe[bool], wire("router:external")] = UNSET
    is_default: Maybe[bool] = UNSET
    port_security_enabled: Maybe[bool] = UNSET
    mtu: Maybe[int] = UNSET
    dns_domain: Maybe[str] = UNSET
    subnets: Maybe[list[str]] = UNSET
    availability_zones: Maybe[list[str]] = UNSET
    availability_zone_hints: Maybe[list[str]] = UNSET
    ipv4_address_scope: Maybe[str | None] = UNSET
    ipv6_address_scope: Maybe[str | None] = UNSET
    l2_adjacency: Maybe[bool] = UNSET
    vlan_transparent: Maybe[bool | None] = UNSET
    qos_policy_id: Maybe[str | None] = UNSET
    network_type: Annotated[Maybe[str], wire("provider:network_type")] = UNSET
    physical_network: Annotated[Maybe[str | None], wire("provider:physical_network")] = UNSET
    segmentation_id: Annotated[Maybe[int | None], wire("provider:segmentation_id")] = UNSET
    tags: Maybe[list[str]] = UNSET
    revision_number: Maybe[int] = UNSET
    created_at: Maybe[str | None] = UNSET
    updated_at: Maybe[str | None] = UNSET


class NetworksView(View):
    """The answer to a creation: in the form of the question."""

    network: Maybe[NetworkView] = UNSET
    networks: Maybe[list[NetworkView]] = UNSET


class _Show:
    """What must be read besides to show some networks, once for all of them."""

    def __init__(self, tx: Tx, req: Request[Any, Any], those: list[Network]) -> None:
        self._subnets = networks.subnet_ids(tx, [one.id for one in those])
        self._zones = networks.zones(tx)
        self._shows_provider = req.can("get_network:provider:network_type")

    def __call__(self, one: Network) -> NetworkView:
        """The network as the caller may see it."""
        hidden = not self._shows_provider
        return NetworkView(
            id=one.id, name=one.name, description=one.description, project_id=one.project_id, tenant_id=one.project_id,
            admin_state_up=one.admin_up, status=networks.STATUS, shared=one.shared, external=one.external,
            is_default=one.is_default, port_security_enabled=one.port_security, mtu=one.mtu, dns_domain=one.dns_domain,
            subnets=self._subnets[one.id], availability_zones=self._zones, availability_zone_hints=list(one.zone_hints),
            ipv4_address_scope=None, ipv6_address_scope=None, l2_adjacency=True, vlan_transparent=None, qos_policy_id=None,
            network_type=UNSET if hidden else one.kind, physical_network=UNSET if hidden else one.physical,
            segmentation_id=UNSET if hidden else one.segment, tags=list(one.tags), revision_number=one.revision,
            created_at=iso_z(one.created_at), updated_at=iso_z(one.updated_at),
        )  # fmt: skip


class NetworkResource:
    """The handlers."""

    def __init__(self, database: Database, use: Networks) -> None:
        self._database, self._use = database, use

    def create(self, req: Request[CreateNetworks, Any]) -> NetworksView:
        """Make one or several."""
        wanted = [self._wanted(req, one) for one in asked(req.params.network, req.params.networks, "network")]
        views = self._views(req, self._use.create(scope(req.ctx), wanted))
        return NetworksView(networks=views) if req.params.network is UNSET else NetworksView(network=views[0])

    def _wanted(self, req: Request[Any, Any], params: NetworkParams) -> NewNetwork:
        sent = given(params)
        project_id = project_of(params)
        authorize_fields(
            req, "create_network", changed_from(NewNetwork, sent), {"project_id": project_id or req.ctx.project_id}
        )
        return NewNetwork(**sent, project_id=project_id)

    def index(self, req: Request[None, ListQuery]) -> Page:
        """The networks that the caller may see."""
        with self._database.read() as tx:
            rows = networks.page(tx, scope(req.ctx), read_listing(req, ATTRIBUTES, "network"))
            return page_of(req, rows, _Show(tx, req, rows))

    def show(self, req: Request[None, ShowQuery]) -> View:
        """One network."""
        return only(self._views(req, [self._find(req)])[0], req.query.fields)

    def update(self, req: Request[NetworkChange, Any]) -> NetworkView:
        """Change what was sent."""
        before, changes = self._find(req), given(req.params)
        target = {"project_id": before.project_id}
        req.authorize("update_network", target)
        authorize_fields(req, "update_network", changes, target)
        return self._views(req, [self._use.update(scope(req.ctx), before.id, changes)])[0]

    def delete(self, req: Request[None, Any]) -> None:
        """Delete it."""
        before = self._find(req)
        req.authorize("delete_network", {"project_id": before.project_id})
        self._use.delete(scope(req.ctx), before.id)

    def _find(self, req: Request[Any, Any]) -> Network:
        with self._database.read() as tx:
            network_id = req.path["network_id"]
            return found(networks.find(tx, scope(req.ctx), network_id), "Network", network_id)

    def _views(self, req: Request[Any, Any], those: list[Network]) -> list[NetworkView]:
        with self._database.read() as tx:
            show = _Show(tx, req, those)
        return [show(one) for one in those]


_ALL, _ONE = "/networks", "/networks/{network_id}"
R = NetworkResource
ROUTES = (
    Route("GET", _ALL, R.index, policy="get_network", query=ListQuery, view=NetworkView, view_key="networks"),
    Route("POST", _ALL, R.create, status=201, policy="create_network", params=CreateNetworks, view=NetworksView),
    Route("GET", _ONE, R.show, policy="get_network", query=ShowQuery, view=NetworkView, view_key="network"),
    Route("PUT", _ONE, R.update, policy="update_network", late_policy=True, params=NetworkChange, params_key="network",
          view=NetworkView, view_key="network"),
    Route("DELETE", _ONE, R.delete, status=204, policy="delete_network", late_policy=True),
)  # fmt: skip
