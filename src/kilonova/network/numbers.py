"""Arithmetic on addresses: pools as ranges of numbers, and the order in which their addresses are tried. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from ipaddress import IPv4Address, IPv6Address

from kilonova.domain.addresses import ip_address

Pools = Sequence[tuple[str, str]]


def spans(pools: Pools) -> list[tuple[int, int]]:
    """Pools as (first, last) numbers, ascending."""
    return sorted((int(ip_address(first)), int(ip_address(last))) for first, last in pools)


def size(pools: Pools) -> int:
    """How many addresses there are in all."""
    return sum(last - first + 1 for first, last in spans(pools))


def holds(pools: Pools, address: int) -> bool:
    """Whether an address is in a pool."""
    return any(first <= address <= last for first, last in spans(pools))


def after(pools: Pools, cursor: int | None) -> Iterator[int]:
    """Every address of the pools once, beginning with the one after `cursor` and wrapping round at the end."""
    ranges = spans(pools)
    start = -1 if cursor is None else cursor
    for first, last in ranges:
        yield from range(max(first, start + 1), last + 1)
    for first, last in ranges:
        yield from range(first, min(last, start) + 1)


def text(number: int, version: int) -> str:
    """A number as an address of IPv4 or IPv6."""
    return str(IPv4Address(number) if version == 4 else IPv6Address(number))


def mac_of(unique: str, prefix: str = "fa:16:3e") -> str:
    """A MAC with OpenStack's prefix, and 24 bits from the end of a random UUID."""
    return f"{prefix}:{unique[-6:-4]}:{unique[-4:-2]}:{unique[-2:]}"
