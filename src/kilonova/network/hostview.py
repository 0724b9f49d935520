"""
A host's share of the networks, from the records: what is sent along with a server, and the whole of it.

Both are made by the same few statements, however many ports there are: ports with their addresses and groups, networks with their
subnets, the groups' rules, and the members of the groups that those rules name.

What a group's members are is the only thing here that grows with the project. So the part that goes with a server leaves out the
groups that its host has already: the host merges parts, counts its own ports as members whatever it was told, and learns of
members elsewhere by `NetworkChanged`. A boot thus costs the same in a group of ten and of ten thousand.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec

from kilonova.domain.addresses import ip_network
from kilonova.domain.hostnet import (
    GroupSpec,
    HostNetwork,
    NetworkSpec,
    PortSpec,
    RuleSpec,
    SubnetSpec,
    bridge_name,
    tap_name,
)
from kilonova.domain.machine import GuestLink, NicSpec
from kilonova.domain.network import Network, Port, SecurityGroupRule, Subnet
from kilonova.network.segments import VXLAN
from kilonova.store.database import Tx
from kilonova.store.queries import networks, ports, security_groups, subnets, tunnels


class ServerNetwork(msgspec.Struct, frozen=True, kw_only=True):
    """A server's share: the part its host must be told, its interfaces, and the same as its guest is told."""

    part: HostNetwork
    nics: tuple[NicSpec, ...]
    links: tuple[GuestLink, ...]


def for_server(tx: Tx, server_id: str) -> ServerNetwork:
    """What one server needs on its host that is not there for sure; its interfaces in their order."""
    mine = ports.of_server(tx, server_id)
    groups = {group_id for port in mine for group_id in port.security_groups}
    host = next((port.host for port in mine if port.host is not None), None)
    known = security_groups.known_on(tx, host, groups) if host is not None and groups else set()
    view = _View(tx, mine, groups - known)
    return ServerNetwork(
        part=view.state(),
        nics=tuple(view.nic(port) for port in mine),
        links=tuple(view.link(port) for port in mine),
    )


def for_ports(tx: Tx, port_ids: Iterable[str]) -> dict[str, HostNetwork]:
    """These ports as their hosts must be told of them, by host; those that are on none are left out."""
    by_host: dict[str, list[Port]] = {}
    for port in ports.by_ids(tx, port_ids).values():
        if port.host is not None:
            by_host.setdefault(port.host, []).append(port)
    return {host: _whole(tx, those) for host, those in by_host.items()}


def for_host(tx: Tx, host: str) -> HostNetwork:
    """The whole of a host's networks: what is not in it must go."""
    return _whole(tx, ports.on_host(tx, host))


def _whole(tx: Tx, those: Sequence[Port]) -> HostNetwork:
    return _View(tx, those, {group_id for port in those for group_id in port.security_groups}).state()


class _View:
    """Some ports and groups, and all that must be read to describe them."""

    def __init__(self, tx: Tx, those: Sequence[Port], group_ids: set[str]) -> None:
        on = {port.network_id for port in those}
        self._ports = those
        self._networks = networks.by_ids(tx, on) if on else {}
        self._subnets = subnets.of_networks(tx, on) if on else {}
        self._by_id = {subnet.id: subnet for of in self._subnets.values() for subnet in of}
        self._hostnames = ports.hostnames(tx, {port.device_id for port in those}) if those else {}
        self._groups = group_specs(tx, group_ids)
        # After the networks themselves: what is told of one may be newer than the generation it bears, never older.
        self._ends = tunnels.ends(tx, [one.id for one in self._networks.values() if one.kind == VXLAN])

    def state(self) -> HostNetwork:
        """All of it, as a host is told."""
        return HostNetwork(
            networks=tuple(
                network_spec(one, self._subnets[one.id], self._ends.get(one.id, ())) for one in self._networks.values()
            ),
            ports=tuple(self._port(port) for port in self._ports),
            groups=self._groups,
        )

    def _port(self, port: Port) -> PortSpec:
        return PortSpec(
            id=port.id, network_id=port.network_id, server_id=port.device_id, mac=port.mac,
            addresses=tuple(ip.address for ip in port.fixed_ips), groups=port.security_groups,
            hostname=port.dns_name or self._hostnames.get(port.device_id, ""), port_security=port.port_security,
            admin_up=port.admin_up and self._networks[port.network_id].admin_up, allowed_pairs=port.allowed_pairs,
            dhcp_options=port.extra_dhcp_opts,
        )  # fmt: skip

    def nic(self, port: Port) -> NicSpec:
        """The port's interface, as the hypervisor is told."""
        return NicSpec(
            port_id=port.id, network_id=port.network_id, mac=port.mac, tap=tap_name(port.id), tag=port.tag,
            bridge=bridge_name(port.network_id), mtu=self._networks[port.network_id].mtu,
        )  # fmt: skip

    def link(self, port: Port) -> GuestLink:
        """The port's interface, as the guest is told; the first subnet with a gateway gives its gateway."""
        its = [(self._by_id[ip.subnet_id], ip.address) for ip in port.fixed_ips]
        return GuestLink(
            port_id=port.id, network_id=port.network_id, mac=port.mac, mtu=self._networks[port.network_id].mtu,
            addresses=tuple(f"{address}/{ip_network(subnet.cidr).prefixlen}" for subnet, address in its),
            gateway=next((subnet.gateway for subnet, _ in its if subnet.gateway), None),
            dns=tuple(dict.fromkeys(server for subnet, _ in its for server in subnet.dns)),
            dhcp=any(subnet.dhcp for subnet, _ in its),
        )  # fmt: skip


def network_spec(network: Network, its: Sequence[Subnet], ends: tuple[str, ...]) -> NetworkSpec:
    """A network as a host is told of it; `ends`: the tunnel addresses of the hosts that share it."""
    return NetworkSpec(
        id=network.id, name=network.name, kind=network.kind, mtu=network.mtu, segment=network.segment,
        physical=network.physical, nat=network.physical is None, tunnels=ends, generation=network.generation,
        subnets=tuple(
            SubnetSpec(
                id=one.id, cidr=one.cidr, ip_version=one.ip_version, gateway=one.gateway, dhcp=one.dhcp, dns=one.dns,
                routes=one.routes,
            )
            for one in its
        ),
    )  # fmt: skip


def group_specs(tx: Tx, group_ids: set[str]) -> tuple[GroupSpec, ...]:
    """
    These groups, and those that their rules name.

    Each is complete in itself, rules and members, as it takes the place of what a host knew of it: a host may have ports in a
    group that is named here, or rules that name a group that nothing here does.
    """
    if not group_ids:
        return ()
    rules = security_groups.rules_of(tx, group_ids)
    named = {rule.remote_group for of in rules.values() for rule in of if rule.remote_group} - group_ids
    if named:
        rules |= security_groups.rules_of(tx, named)
    members = security_groups.members(tx, sorted(rules))
    return tuple(
        GroupSpec(id=group_id, rules=tuple(_rule(rule) for rule in rules[group_id]), members_on=members[group_id])
        for group_id in sorted(rules)
    )


def _rule(rule: SecurityGroupRule) -> RuleSpec:
    return RuleSpec(
        id=rule.id, direction=rule.direction, ethertype=rule.ethertype, protocol=rule.protocol, port_min=rule.port_min,
        port_max=rule.port_max, remote_cidr=rule.remote_cidr, remote_group=rule.remote_group,
    )  # fmt: skip
