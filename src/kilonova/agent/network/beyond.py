"""What guests may reach through their gateways, as this host sees it: what it was told, and what it knows of itself."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import ip_network

from kilonova.agent.network.conflicts import Address, Range
from kilonova.domain.reach import ALWAYS_CLOSED, GuestReach, Opening, collapsed, read_opening

_DNS = 53


@dataclass(frozen=True)
class Beyond:
    """Ranges that are closed to guests, and what is open in them."""

    closed: tuple[Range, ...] = ALWAYS_CLOSED
    opened: tuple[Opening, ...] = ()


def plan_beyond(told: GuestReach | None, beside: Iterable[Range], resolvers: Iterable[Address]) -> Beyond:
    """
    What holds on a host that was told this. Pure.

    `beside`: the ranges that it reaches otherwise than by its default route, such as a storage network or containers' bridges: no
    outside of guests'. `resolvers`: the name servers that the networks' DNS asks for it; of these, DNS is open.
    """
    told = told or GuestReach()
    asked = [Opening(ip_network(one), _DNS) for one in resolvers if not one.is_loopback]
    return Beyond(
        closed=collapsed([*ALWAYS_CLOSED, *map(ip_network, told.closed), *beside]),
        opened=tuple(sorted({*map(read_opening, told.opened), *asked}, key=str)),
    )
