"""Ranges that are nobody's to give or to reach: what they mean is settled by standards, or by how hosts are made."""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import IPv4Network, IPv6Network, ip_network

Range = IPv4Network | IPv6Network

RESERVED: tuple[Range, ...] = tuple(
    map(
        ip_network,
        (
            "0.0.0.0/8",  # this network
            "127.0.0.0/8",  # loopback
            "169.254.0.0/16",  # link-local, with the metadata address
            "192.0.0.0/24",  # IETF protocols
            "198.18.0.0/15",  # measurements; here, the cables between a host and its networks' routers
            "224.0.0.0/4",  # multicast
            "240.0.0.0/4",  # for later, and broadcast
            "::/8",  # unspecified, loopback, IPv4-mapped and the like
            "64:ff9b:1::/48",  # translation inside a site
            "fe80::/10",  # link-local
            "fec0::/10",  # site-local, withdrawn
            "ff00::/8",  # multicast
        ),
    )
)


def overlapping(network: Range, others: Iterable[Range]) -> Range | None:
    """The first of the others that shares an address with it."""
    return next((one for one in others if one.version == network.version and one.overlaps(network)), None)
