"""
Ends flows that the rules no longer let through.

Rules judge the first packet of a flow; what is established passes. So when rules, members or ports go, the kernel must be made to
forget the flows that they let through, or a revoked peer goes on talking, and the next port with the same address inherits it.
A flow that is forgotten without need is picked up again by its next packet only when that comes from the end that began it: a
session in which the other end speaks next would hang. So where a port is still there, a connection that its rules would let
through again is left alone.
"""

from __future__ import annotations

import socket
from collections.abc import Callable
from contextlib import suppress
from typing import NamedTuple

from pyroute2 import Conntrack
from pyroute2.netlink.exceptions import NetlinkError
from pyroute2.netlink.nfnetlink.nfctsocket import NFCTAttrTuple

from kilonova.agent.host_network_state import members
from kilonova.agent.network.conflicts import Address
from kilonova.agent.network.firewall.rules import ANY_PROTOCOL, protocol_number
from kilonova.domain.addresses import ip_address, ip_network
from kilonova.domain.hostnet import HostNetwork, PortSpec, RuleSpec

Members = dict[tuple[str, str], tuple[str, ...]]


class Connection(NamedTuple):
    """A flow with ports, from the end that began it."""

    source: Address
    target: Address
    protocol: int
    port: int


class Revoked(NamedTuple):
    """Addresses that something was taken from: all of it, as their port is gone or another's; or some of what lets them talk."""

    gone: set[Address]
    shrunk: set[Address]


def revoked(before: HostNetwork, after: HostNetwork) -> Revoked:
    """What was taken of ports, their groups, groups' rules and memberships. Pure."""
    new_groups = {group.id: group for group in after.groups}
    fewer_rules = {
        group.id
        for group in before.groups
        if group.id not in new_groups or not set(group.rules) <= set(new_groups[group.id].rules)
    }
    new_ports = {(port.network_id, address): port for port in after.ports for address in port.addresses}
    gone: set[str] = set()
    shrunk: set[str] = set()
    for port in before.ports:
        for address in port.addresses:
            now = new_ports.get((port.network_id, address))
            if now is None or now.server_id != port.server_id:
                gone.add(address)
            elif fewer_rules.intersection(port.groups) or not set(port.groups) <= set(now.groups):
                shrunk.add(address)
    new_members = members(after)
    for key, old in members(before).items():
        shrunk |= set(old).difference(new_members.get(key, ()))
    return Revoked(set(map(ip_address, gone)), set(map(ip_address, shrunk)) - set(map(ip_address, gone)))


def lets_through(share: HostNetwork, flow: Connection) -> bool:
    """
    Whether the rules of every port with an end of it would let the connection begin again; False when there is none. Pure.

    An address may be on several networks: then all of them must.
    """
    known = members(share)
    judged = [
        _allows(share, port, direction, flow, known)
        for port in share.ports
        for direction, end in (("egress", flow.source), ("ingress", flow.target))
        if str(end) in port.addresses
    ]
    return bool(judged) and all(judged)


def _allows(share: HostNetwork, port: PortSpec, direction: str, flow: Connection, known: Members) -> bool:
    peer = flow.target if direction == "egress" else flow.source
    rules = [rule for group in share.groups if group.id in port.groups for rule in group.rules]
    return not port.port_security or any(
        rule.direction == direction and _is_of(rule, flow) and _is_with(rule, peer, port.network_id, known)
        for rule in rules
    )


def _is_of(rule: RuleSpec, flow: Connection) -> bool:
    """Whether the rule is about such a connection."""
    if (rule.ethertype == "IPv6") != (flow.target.version == 6):
        return False
    if rule.protocol in ANY_PROTOCOL:
        return True
    low = 0 if rule.port_min is None else rule.port_min
    high = 65535 if rule.port_min is None and rule.port_max is None else low if rule.port_max is None else rule.port_max
    return protocol_number(str(rule.protocol)) == flow.protocol and low <= flow.port <= high


def _is_with(rule: RuleSpec, peer: Address, network_id: str, known: Members) -> bool:
    """Whether the rule is about this peer."""
    if rule.remote_group is not None:
        return str(peer) in known.get((rule.remote_group, network_id), ())
    return rule.remote_cidr is None or peer in ip_network(rule.remote_cidr, strict=False)


def forget_flows(taken: Revoked, stays: Callable[[Connection], bool]) -> None:
    """Have the kernel forget every flow from or to these addresses; of those that only shrank, `stays` says which are left."""
    for address in taken.gone | taken.shrunk:
        family = socket.AF_INET if address.version == 4 else socket.AF_INET6
        ends = [{end: str(address), "family": family} for end in ("saddr", "daddr")]
        with Conntrack(nfgen_family=family) as conntrack:
            flows = [flow for end in ends for flow in conntrack.dump_entries(tuple_orig=NFCTAttrTuple(**end))]
            for flow in flows:
                one = _connection(flow.tuple_orig)
                if one is not None and not taken.gone & {one.source, one.target} and stays(one):
                    continue
                zone = {} if flow.zone is None else {"zone": flow.zone}
                # One that has ended by itself meanwhile is as good as forgotten.
                with suppress(NetlinkError):
                    conntrack.entry("del", tuple_orig=flow.tuple_orig, **zone)


def _connection(ends: NFCTAttrTuple) -> Connection | None:
    if ends.dport is None:
        return None
    return Connection(ip_address(ends.saddr), ip_address(ends.daddr), ends.proto, ends.dport)
