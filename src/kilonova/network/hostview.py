"""
A host's share of the networks, from the records: what is sent along with a server, and the whole of it.

Both are made by the same few statements, however many ports there are: ports with their addresses and groups, networks with their
subnets, the groups' rules, and the members of the groups that those rules name.

Who is in a group, and which hosts share a network, is all that grows here with the project. So the part that goes with a server
leaves out the groups that its host has already, and gives but the outline of such networks: the host merges parts, counts its own
ports as members whatever it was told, and learns of what changes elsewhere by `ShareChanged`. A boot thus costs the same in a
group of ten and of ten thousand. Should a host lack what it was thought to have, it says so, and gets it (`newer`).

Generations are read before what they are of: what a host is told may be newer than the generation it bears, never older.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime, timedelta

import msgspec

from kilonova.domain.addresses import ip_network
from kilonova.domain.hostnet import (
    OUTLINE,
    GroupSpec,
    HeldNetworks,
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
from kilonova.store.queries import network_changes, networks, ports, security_groups, subnets, tunnels
from kilonova.store.queries.network_changes import GROUP, NETWORK, Standing

_ON_ITS_WAY = timedelta(seconds=10)


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
    outlined = tunnels.known_on(tx, host, {port.network_id for port in mine}) if host is not None else set()
    view = _View(tx, mine, groups - known, outlined)
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


def newer(tx: Tx, host: str, held: HeldNetworks, now: datetime) -> HostNetwork:
    """
    The networks and groups of which a host that holds this lacks something, each of them whole.

    A change that was told a moment ago may be on its way; should it be lost, the next one shows the gap, or the host says the
    same again when no other has followed.
    """

    def is_lacking(standing: Standing) -> bool:
        is_new = standing.since is not None and timedelta() <= now - standing.since < _ON_ITS_WAY
        is_due = standing.id in held.urgent or not is_new
        has = held.generations.get(standing.id, OUTLINE)
        return has == OUTLINE or (is_due and has < standing.generation)

    groups = security_groups.on_host(tx, host)
    of_networks = network_changes.standings(tx, NETWORK, ports.networks_on(tx, host))
    of_groups = network_changes.standings(tx, GROUP, groups | security_groups.named_by(tx, groups))
    return HostNetwork(
        networks=network_specs(tx, [one.id for one in of_networks if is_lacking(one)]),
        groups=group_specs(tx, {one.id for one in of_groups if is_lacking(one)}),
    )


def _whole(tx: Tx, those: Sequence[Port]) -> HostNetwork:
    return _View(tx, those, {group_id for port in those for group_id in port.security_groups}).state()


class _View:
    """Some ports and groups, and all that must be read to describe them."""

    def __init__(
        self, tx: Tx, those: Sequence[Port], group_ids: set[str], outlined: Collection[str] = frozenset()
    ) -> None:
        on = {port.network_id for port in those}
        self._outlined = outlined
        self._ports = those
        self._networks = networks.by_ids(tx, on) if on else {}
        self._subnets = subnets.of_networks(tx, on) if on else {}
        self._by_id = {subnet.id: subnet for of in self._subnets.values() for subnet in of}
        bound = {port.server_id for port in those if port.server_id is not None}
        self._hostnames = ports.hostnames(tx, bound) if bound else {}
        self._groups = group_specs(tx, group_ids | security_groups.named_by(tx, group_ids))
        spanning = [one.id for one in self._networks.values() if one.kind == VXLAN and one.id not in outlined]
        self._ends = tunnels.ends(tx, spanning)

    def state(self) -> HostNetwork:
        """All of it, as a host is told."""
        return HostNetwork(
            networks=tuple(
                _network_spec(
                    one, self._subnets[one.id], None if one.id in self._outlined else self._ends.get(one.id, ())
                )
                for one in self._networks.values()
            ),
            ports=tuple(self._port(port) for port in self._ports),
            groups=self._groups,
        )

    def _port(self, port: Port) -> PortSpec:
        return PortSpec(
            id=port.id, network_id=port.network_id, server_id=port.server_id or "", mac=port.mac,
            addresses=tuple(ip.address for ip in port.fixed_ips), groups=port.security_groups,
            hostname=port.dns_name or self._hostnames.get(port.server_id or "", ""), port_security=port.port_security,
            admin_up=port.admin_up, allowed_pairs=port.allowed_pairs, dhcp_options=port.extra_dhcp_opts,
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


def network_specs(tx: Tx, network_ids: Sequence[str]) -> tuple[NetworkSpec, ...]:
    """These networks as hosts are told of them; those that are no more are left out."""
    if not network_ids:
        return ()
    those = networks.by_ids(tx, network_ids)
    its = subnets.of_networks(tx, those)
    ends = tunnels.ends(tx, [one.id for one in those.values() if one.kind == VXLAN])
    return tuple(_network_spec(one, its[one.id], ends.get(one.id, ())) for one in those.values())


def _network_spec(network: Network, its: Sequence[Subnet], ends: tuple[str, ...] | None) -> NetworkSpec:
    """`ends`: the tunnel addresses of the hosts that share it; None for its outline."""
    return NetworkSpec(
        id=network.id, name=network.name, kind=network.kind, mtu=network.mtu, segment=network.segment,
        physical=network.physical, nat=network.physical is None, admin_up=network.admin_up, tunnels=ends or (),
        generation=OUTLINE if ends is None else network.generation,
        subnets=tuple(
            SubnetSpec(
                id=one.id, cidr=one.cidr, ip_version=one.ip_version, gateway=one.gateway, dhcp=one.dhcp, dns=one.dns,
                routes=one.routes,
            )
            for one in its
        ),
    )  # fmt: skip


def group_specs(tx: Tx, group_ids: Collection[str]) -> tuple[GroupSpec, ...]:
    """
    These groups, each complete in itself, rules and members, as it takes the place of what a host knew of it; those that are no
    more are left out.
    """
    if not group_ids:
        return ()
    generations = {one.id: one.generation for one in network_changes.standings(tx, GROUP, group_ids)}
    rules = security_groups.rules_of(tx, group_ids)
    members = security_groups.members(tx, sorted(group_ids))
    return tuple(
        GroupSpec(
            id=group_id, rules=tuple(map(rule_spec, rules[group_id])), members_on=members[group_id],
            generation=generations[group_id],
        )
        for group_id in sorted(generations)
    )  # fmt: skip


def rule_spec(rule: SecurityGroupRule) -> RuleSpec:
    """A rule as a host is told of it."""
    return RuleSpec(
        id=rule.id, direction=rule.direction, ethertype=rule.ethertype, protocol=rule.protocol, port_min=rule.port_min,
        port_max=rule.port_max, remote_cidr=rule.remote_cidr, remote_group=rule.remote_group,
    )  # fmt: skip
