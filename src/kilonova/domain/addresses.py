"""
IP addresses and ranges from text, as Python reads them but without zones.

To Python, what follows the `%` of `fe80::1%eth0` may be anything, line breaks and braces included, and is part of the address's
text. Such a text ends in the files of dnsmasq and in nft's rules, so nothing of ours reads one. Raises ValueError.
"""

from __future__ import annotations

import ipaddress
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network


def ip_address(value: str | int | IPv4Address | IPv6Address) -> IPv4Address | IPv6Address:
    """One address; a number is one as Python has it."""
    _refuse_zone(value)
    return ipaddress.ip_address(value)


def ip_network(value: str | IPv4Network | IPv6Network, *, strict: bool = True) -> IPv4Network | IPv6Network:
    """A range; not `strict`: its host bits may be set, and are dropped."""
    _refuse_zone(value)
    return ipaddress.ip_network(value, strict)


def _refuse_zone(value: object) -> None:
    if isinstance(value, str) and "%" in value:
        raise ValueError("an address here has no zone (%)")


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches what listens at an address or a name."""
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


def ip_client(text: str) -> str:
    """
    Who is counted as one where clients are counted by address: of IPv6 a /64, which is the least that anybody is given.

    What is no address is one client, however it is spelt: nobody is to be somebody else by another spelling.
    """
    try:
        address = ip_address(text)
    except ValueError:
        return "unknown"
    if isinstance(address, IPv4Address):
        return str(address)
    if address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    return str(ip_network(f"{address}/64", strict=False))
