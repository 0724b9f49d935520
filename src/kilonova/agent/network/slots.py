"""
Each network's number on this host: it gives its gateway's uplink a pair of addresses, and its flows a conntrack zone. Pure.

A number is kept in the records for as long as the host has the network. A VXLAN network has the one that follows from its id if
that is free: hosts used to compute it so, and an upgrade must not renumber what runs.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from ipaddress import IPv4Network

from kilonova.agent.network.conflicts import UPLINKS, refused
from kilonova.domain.hostnet import NetworkSpec

Slots = Mapping[str, int]  # bridge -> number
LAST = 65535  # a conntrack zone has 16 bits, and 0 is everybody else's


def plan_slots(networks: Iterable[NetworkSpec], held: Slots) -> dict[str, int]:
    """The number of each network, by bridge: as it is in `held`, else a free one. Raises HostFailure when none is free."""
    wanted = sorted(networks, key=lambda network: network.bridge)
    slots = {network.bridge: held[network.bridge] for network in wanted if network.bridge in held}
    taken = set(slots.values())
    lowest = 1
    for network in wanted:
        if network.bridge in slots:
            continue
        slot = (network.segment or 0) % LAST + 1
        if network.segment is None or slot in taken:
            while lowest in taken:
                lowest += 1
            slot = lowest
        if slot > LAST:
            raise refused(
                f"This host has {LAST} networks, and can tell no more apart. Place the server on another host."
            )
        slots[network.bridge] = slot
        taken.add(slot)
    return slots


def uplink_pair(slot: int) -> IPv4Network:
    """The pair of addresses on which the gateway of a network reaches its host."""
    return IPv4Network((int(UPLINKS.network_address) + 2 * slot, 31))
