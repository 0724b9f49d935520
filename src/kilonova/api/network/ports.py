"""Ports."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kilonova.api.framework import UNSET, Page, Request, Route, View
from kilonova.api.network.common import (
    ListQuery,
    ShowQuery,
    asked,
    authorize_fields,
    changed_from,
    given,
    only,
    page_of,
    project_of,
    read_listing,
    scope,
)  # fmt: skip
from kilonova.api.network.port_shapes import (
    ATTRIBUTES,
    CreatePorts,
    PortChange,
    PortParams,
    PortsView,
    PortView,
    view_of,
)  # fmt: skip
from kilonova.domain.network import Network, Port
from kilonova.network.errors import InvalidInput
from kilonova.network.ports import NewPort, Ports
from kilonova.network.scoping import found
from kilonova.store.database import Database
from kilonova.store.queries import networks, ports


class PortResource:
    """The handlers."""

    def __init__(self, database: Database, use: Ports) -> None:
        self._database, self._use = database, use

    def create(self, req: Request[CreatePorts, Any]) -> PortsView:
        """Make one or several."""
        wanted = [self._wanted(req, one) for one in asked(req.params.port, req.params.ports, "port")]
        views = self._views(req, self._use.create(scope(req.ctx), wanted))
        return PortsView(ports=views) if req.params.port is UNSET else PortsView(port=views[0])

    def _wanted(self, req: Request[Any, Any], params: PortParams) -> NewPort:
        with self._database.read() as tx:
            network = found(networks.find(tx, scope(req.ctx), params.network_id), "Network", params.network_id)
        project_id = project_of(params)
        sent = _sent(params)
        _authorize(req, "create_port", changed_from(NewPort, sent), _target(network, project_id or req.ctx.project_id))
        return NewPort(**sent, project_id=project_id)

    def index(self, req: Request[None, ListQuery]) -> Page:
        """The ports that the caller may see."""
        with self._database.read() as tx:
            rows = ports.page(tx, scope(req.ctx), read_listing(req, ATTRIBUTES, "port"))
        views = {view.id: view for view in self._views(req, rows)}
        return page_of(req, rows, lambda row: views[row.id])

    def show(self, req: Request[None, ShowQuery]) -> View:
        """One port."""
        return only(self._views(req, [self._find(req)])[0], req.query.fields)

    def update(self, req: Request[PortChange, Any]) -> PortView:
        """Change what was sent."""
        before, changes = self._find(req), _sent(req.params)
        target = self._target(before)
        req.authorize("update_port", target)
        new = {name: value for name, value in changes.items() if value != getattr(before, name, UNSET)}
        _authorize(req, "update_port", new, target)
        return self._views(req, [self._use.update(scope(req.ctx), before.id, changes)])[0]

    def delete(self, req: Request[None, Any]) -> None:
        """Delete it."""
        before = self._find(req)
        req.authorize("delete_port", self._target(before))
        self._use.delete(scope(req.ctx), before.id)

    def _target(self, port: Port) -> dict[str, Any]:
        with self._database.read() as tx:
            return _target(networks.by_ids(tx, [port.network_id])[port.network_id], port.project_id)

    def _find(self, req: Request[Any, Any]) -> Port:
        with self._database.read() as tx:
            port_id = req.path["port_id"]
            return found(ports.find(tx, scope(req.ctx), port_id), "Port", port_id)

    def _views(self, req: Request[Any, Any], those: list[Port]) -> list[PortView]:
        with self._database.read() as tx:
            on = networks.by_ids(tx, {one.network_id for one in those})
        shows = req.can("get_port:binding:host_id")
        return [view_of(one, on[one.network_id].dns_domain, shows_binding=shows) for one in those]


def _sent(params: PortChange) -> dict[str, Any]:
    """What was sent; null empties what holds several things."""
    if params.host:
        raise InvalidInput("port.binding:host_id", "a port is bound by the server that gets it, to that server's host")
    sent = given(params, but=("host",))
    empty: dict[str, Any] = {"security_groups": (), "binding_profile": {}}
    return {name: empty[name] if value is None and name in empty else value for name, value in sent.items()}


def _target(network: Network, project_id: str | None) -> dict[str, Any]:
    return {"project_id": project_id, "network:project_id": network.project_id, "network:shared": network.shared}


def _authorize(req: Request[Any, Any], rule: str, sent: Mapping[str, Any], target: Mapping[str, Any]) -> None:
    """Raise Denied for attributes with a rule of their own; addresses have two, as naming just a subnet is harmless."""
    authorize_fields(req, rule, sent, target)
    for _, address in sent.get("fixed_ips", ()):
        req.authorize(f"{rule}:fixed_ips:{'subnet_id' if address is None else 'ip_address'}", target)
    if str(sent.get("device_owner", "")).startswith("network:"):
        req.authorize(f"{rule}:device_owner:network", target)


_ALL, _ONE = "/ports", "/ports/{port_id}"
R = PortResource
ROUTES = (
    Route("GET", _ALL, R.index, policy="get_port", query=ListQuery, view=PortView, view_key="ports"),
    Route("POST", _ALL, R.create, status=201, policy="create_port", params=CreatePorts, view=PortsView),
    Route("GET", _ONE, R.show, policy="get_port", query=ShowQuery, view=PortView, view_key="port"),
    Route("PUT", _ONE, R.update, policy="update_port", late_policy=True, params=PortChange, params_key="port",
          view=PortView, view_key="port"),
    Route("DELETE", _ONE, R.delete, status=204, policy="delete_port", late_policy=True),
)  # fmt: skip
