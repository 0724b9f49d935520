"""
Ends flows that the rules no longer let through.

Rules judge the first packet of a flow; what is established passes. So when rules, members or ports go, the kernel must be made to
forget the flows that they let through, or a revoked peer goes on talking, and the next port with the same address inherits it.
A flow that is forgotten without need is picked up again by its next packet, if the rules allow that; so those of equal addresses
on other networks go too.
"""

from __future__ import annotations

import socket
from contextlib import suppress

from pyroute2 import Conntrack
from pyroute2.netlink.exceptions import NetlinkError
from pyroute2.netlink.nfnetlink.nfctsocket import NFCTAttrTuple

from kilonova.agent.network.conflicts import Address
from kilonova.agent.network.records import members
from kilonova.domain.addresses import ip_address
from kilonova.domain.hostnet import HostNetwork, PortSpec


def revoked(before: HostNetwork, after: HostNetwork) -> set[Address]:
    """The addresses that something was taken from: their port, one of its groups, a group's rule, a membership. Pure."""
    new_groups = {group.id: group for group in after.groups}
    shrunk = {
        group.id
        for group in before.groups
        if group.id not in new_groups or not set(group.rules) <= set(new_groups[group.id].rules)
    }
    new_ports = {(port.network_id, address): port for port in after.ports for address in port.addresses}
    lost = {
        address
        for port in before.ports
        for address in port.addresses
        if shrunk.intersection(port.groups) or _took(port, new_ports.get((port.network_id, address)))
    }
    new_members = members(after)
    for key, old in members(before).items():
        lost |= set(old).difference(new_members.get(key, ()))
    return {ip_address(address) for address in lost}


def _took(port: PortSpec, now: PortSpec | None) -> bool:
    """Whether what now has the port's address is less, or another's."""
    return now is None or now.server_id != port.server_id or not set(port.groups) <= set(now.groups)


def forget_flows(addresses: set[Address]) -> None:
    """Have the kernel forget every flow from or to these addresses."""
    for address in addresses:
        family = socket.AF_INET if address.version == 4 else socket.AF_INET6
        ends = [{end: str(address), "family": family} for end in ("saddr", "daddr")]
        with Conntrack(nfgen_family=family) as conntrack:
            flows = [flow for end in ends for flow in conntrack.dump_entries(tuple_orig=NFCTAttrTuple(**end))]
            for flow in flows:
                # One that has ended by itself meanwhile is as good as forgotten.
                zone = {} if flow.zone is None else {"zone": flow.zone}
                with suppress(NetlinkError):
                    conntrack.entry("del", tuple_orig=flow.tuple_orig, **zone)
