"""What a server has of the networks: its addresses, and the security groups of its ports."""

from __future__ import annotations

from typing import Any

from kilonova.api.compute.common import scope
from kilonova.api.compute.servers.views import Address
from kilonova.api.framework import Query, Request, Route, View
from kilonova.domain.errors import Missing
from kilonova.domain.network import SecurityGroup, SecurityGroupRule
from kilonova.domain.server import Server
from kilonova.network import addresses
from kilonova.runtime import Runtime
from kilonova.store.database import Tx
from kilonova.store.queries import ports, security_groups, servers

_IPS = "os_compute_api:ips"
_GROUPS = "os_compute_api:os-security-groups:list"
_ANYWHERE = {"IPv4": "0.0.0.0/0", "IPv6": "::/0"}


class RuleView(View):
    """An ingress rule in the old form; for ICMP the ports are type and code, -1 any."""

    id: str
    parent_group_id: str
    ip_protocol: str | None
    from_port: int | None
    to_port: int | None
    group: dict[str, str]
    ip_range: dict[str, str]


class GroupView(View):
    """A security group in the old form."""

    id: str
    name: str
    description: str | None
    tenant_id: str
    rules: list[RuleView]


class ServerNetworks:
    """The resources: reading only, as ports are the network service's."""

    def __init__(self, runtime: Runtime) -> None:
        self._database = runtime.db

    def ips(self, req: Request[None, Query]) -> dict[str, list[Address]]:
        """Its addresses by network."""
        with self._database.read() as tx:
            return _addresses(tx, self._server(tx, req, f"{_IPS}:index"))

    def ips_of_network(self, req: Request[None, Query]) -> dict[str, list[Address]]:
        """Its addresses on one network."""
        name = req.path["network"]
        with self._database.read() as tx:
            found = _addresses(tx, self._server(tx, req, f"{_IPS}:show"))
        if name not in found:
            raise Missing("Network", f"{name[:255]} of this server")
        return {name: found[name]}

    def groups(self, req: Request[None, Query]) -> list[GroupView]:
        """The security groups of its ports."""
        with self._database.read() as tx:
            server = self._server(tx, req, _GROUPS)
            wanted = {group_id for port in ports.of_server(tx, server.id) for group_id in port.security_groups}
            found = security_groups.named(tx, server.project_id, wanted) if wanted else []
            rules = security_groups.rules_of(tx, [group.id for group in found])
            remotes = {rule.remote_group for held in rules.values() for rule in held if rule.remote_group}
            names = (
                {group.id: group for group in security_groups.named(tx, server.project_id, remotes)} if remotes else {}
            )
        return [_group(group, rules[group.id], names) for group in sorted(found, key=lambda group: group.name)]

    def _server(self, tx: Tx, req: Request[Any, Any], rule: str) -> Server:
        return servers.get(tx, scope(req, rule), req.path["server_id"])


def _addresses(tx: Tx, server: Server) -> dict[str, list[Address]]:
    found: dict[str, list[Address]] = {}
    for one in addresses.for_servers(tx, [server.id])[server.id]:
        found.setdefault(one.network, []).append(Address(version=one.version, addr=one.address))
    return found


def _group(group: SecurityGroup, rules: list[SecurityGroupRule], names: dict[str, SecurityGroup]) -> GroupView:
    return GroupView(
        id=group.id, name=group.name, description=group.description, tenant_id=group.project_id,
        rules=[_rule(rule, names) for rule in rules if rule.direction == "ingress"],
    )  # fmt: skip


def _rule(rule: SecurityGroupRule, names: dict[str, SecurityGroup]) -> RuleView:
    any_port = -1 if rule.protocol in ("icmp", "icmpv6", "ipv6-icmp") else None
    remote = names.get(rule.remote_group or "")
    cidr = {} if rule.remote_group else {"cidr": rule.remote_cidr or _ANYWHERE[rule.ethertype]}
    return RuleView(
        id=rule.id, parent_group_id=rule.group_id, ip_protocol=rule.protocol,
        from_port=any_port if rule.port_min is None else rule.port_min,
        to_port=any_port if rule.port_max is None else rule.port_max,
        group={"name": remote.name, "tenant_id": remote.project_id} if remote else {}, ip_range=cidr,
    )  # fmt: skip


ROUTES = (
    Route("GET", "/servers/{server_id}/ips", ServerNetworks.ips, policy=f"{_IPS}:index", view=dict[str, list[Address]],
          view_key="addresses", summary="List a server's addresses"),
    Route("GET", "/servers/{server_id}/ips/{network}", ServerNetworks.ips_of_network, policy=f"{_IPS}:show",
          view=dict[str, list[Address]], summary="List a server's addresses on a network"),
    Route("GET", "/servers/{server_id}/os-security-groups", ServerNetworks.groups, policy=_GROUPS, view=GroupView,
          view_key="security_groups", summary="List a server's security groups"),
)  # fmt: skip
