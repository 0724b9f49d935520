"""
What guests may reach beyond their own networks: everything but what is closed, and of that what is opened.

Closed for all guests, whoever they are: reserved ranges, each host's own addresses and the networks beside it (which a host knows
best itself), and what the control plane tells: hosts, bus, database, listeners. Opened by the operator's settings alone.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from ipaddress import IPv4Network, IPv6Network, collapse_addresses
from typing import NamedTuple

import msgspec

from kilonova.domain.addresses import ip_network
from kilonova.domain.reserved import RESERVED, Range

# Beside what is reserved: shared by a provider and its customers (RFC 6598), so somebody's inside and nobody's outside.
ALWAYS_CLOSED: tuple[Range, ...] = (*RESERVED, IPv4Network("100.64.0.0/10"))


class GuestReach(msgspec.Struct, frozen=True, kw_only=True):
    """What a host is told of it. `closed`: ranges; `opened`: ranges, perhaps with a port (see `read_opening`)."""

    closed: tuple[str, ...] = ()
    opened: tuple[str, ...] = ()

    @property
    def digest(self) -> str:
        """By which a host says which one it has."""
        return hashlib.sha256(msgspec.json.encode(self)).hexdigest()[:16]


class Opening(NamedTuple):
    """A range that is opened, at one port of TCP and UDP or (None) whatever is sent there."""

    range: Range
    port: int | None


def read_opening(text: str) -> Opening:
    """`10.0.0.0/24`, `10.0.0.5:8774`, `fd00::/64`, `[fd00::5]:8774`. Raises ValueError."""
    head, colon, port = text.rpartition(":")
    if text.startswith("["):
        inside, bracket, port = text[1:].partition("]")
        if not bracket or (port and not port.startswith(":")):
            raise ValueError(f"{text!r} is neither [RANGE] nor [RANGE]:PORT")
        return Opening(ip_network(inside), _port(port[1:]) if port else None)
    if colon and ":" not in head:
        return Opening(ip_network(head), _port(port))
    return Opening(ip_network(text), None)


def collapsed(ranges: Iterable[Range]) -> tuple[Range, ...]:
    """The same addresses in as few ranges as can be, in order."""
    listed = list(ranges)
    four = collapse_addresses(one for one in listed if isinstance(one, IPv4Network))
    six = collapse_addresses(one for one in listed if isinstance(one, IPv6Network))
    return (*four, *six)


def _port(text: str) -> int:
    if not (text.isascii() and text.isdigit() and 0 < int(text) <= 65535):
        raise ValueError(f"{text!r} is not a port")
    return int(text)
