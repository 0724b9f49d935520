"""What makes a subnet sound: its range, gateway, pools, routes and name servers. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from ipaddress import IPv4Address, IPv6Address
from itertools import pairwise

from kilonova.domain.addresses import ip_address, ip_network
from kilonova.domain.errors import Conflict
from kilonova.domain.network import Subnet
from kilonova.domain.reserved import RESERVED, Range, overlapping
from kilonova.network.errors import InvalidInput
from kilonova.network.numbers import Pools, spans, text

MAX_NAME_SERVERS = 5
MAX_ROUTES = 20
_WIDEST = {4: 8, 6: 16}


class OutOfBoundsAllocationPool(InvalidInput):
    """400: a pool reaches out of the subnet."""


class InvalidAllocationPool(InvalidInput):
    """400: a pool ends before it begins, or is of another IP version."""


class OverlappingAllocationPools(Conflict):
    """409: two pools share addresses."""


class GatewayConflictWithAllocationPools(Conflict):
    """409: the gateway's address would also be given to ports."""


def read_cidr(cidr: str, version: int, *, dhcp: bool) -> Range:
    """The range of a subnet, without host bits. Raises InvalidInput."""
    network = ip_network(cidr, strict=False)
    if network.version != version:
        raise InvalidInput("cidr", f"{cidr} is not of IP version {version}")
    if dhcp and network.num_addresses < 4:
        raise InvalidInput(
            "cidr", f"{cidr} is too small for a subnet with DHCP: use /30 or /126 at least, or 'enable_dhcp': false"
        )
    return network


def check_allowed(network: Range, operators: Iterable[Range]) -> None:
    """Raises InvalidInput for a range that is no tenant's to use: reserved, too wide, or of the operator's own list."""
    if network.prefixlen < _WIDEST[network.version]:
        raise InvalidInput(
            "cidr",
            f"{network} is wider than /{_WIDEST[network.version]}, and so no range of one network: use a part of it",
        )
    if (reserved := overlapping(network, RESERVED)) is not None:
        raise InvalidInput(
            "cidr", f"{network} is not a range that ports could have addresses of: {reserved} is reserved. Use a private range, "
            "such as 10.0.0.0/24 or fd00::/64"
        )  # fmt: skip
    if overlapping(network, operators) is not None:
        raise InvalidInput("cidr", f"{network} overlaps a range that the operator of this cloud keeps: use another")


def usable(network: Range) -> tuple[int, int]:
    """The first and last address that a port may have, as numbers."""
    first, last = int(network.network_address), int(network.broadcast_address)
    if network.num_addresses <= 2:
        return first, last
    return first + 1, last - (network.version == 4)


def first_gateway(network: Range) -> str:
    """The gateway of a subnet whose maker did not say: the first usable address."""
    return text(usable(network)[0], network.version)


def check_gateway(network: Range, gateway: str) -> str:
    """The gateway in its canonical form. Raises InvalidInput when it is not a usable address of the subnet."""
    address = ip_address(gateway)
    first, last = usable(network)
    if address.version != network.version or not first <= int(address) <= last:
        raise InvalidInput(
            "gateway_ip", f"Gateway is not valid on subnet: {gateway} is not a host's address in {network}"
        )
    return str(address)


def default_pools(network: Range, gateway: str | None) -> tuple[tuple[str, str], ...]:
    """Every usable address but the gateway."""
    first, last = usable(network)
    hole = None if gateway is None else int(ip_address(gateway))
    ranges = [(first, last)] if hole is None else [(first, hole - 1), (hole + 1, last)]
    return tuple((text(low, network.version), text(high, network.version)) for low, high in ranges if low <= high)


def check_pools(network: Range, pools: Sequence[tuple[str, str]], gateway: str | None) -> tuple[tuple[str, str], ...]:
    """The pools in canonical form and order. Raises InvalidInput and Conflict (overlaps, a gateway inside)."""
    first, last = usable(network)
    for low, high in pools:
        start, end = ip_address(low), ip_address(high)
        if start.version != network.version or end.version != network.version or int(start) > int(end):
            raise InvalidAllocationPool("allocation_pools", f"The allocation pool {low}-{high} is not valid.")
        if int(start) < first or int(end) > last:
            raise OutOfBoundsAllocationPool(
                "allocation_pools", f"The allocation pool {low}-{high} spans beyond the subnet cidr {network}."
            )
    ranges = spans(pools)
    for (_, end_of_one), (start_of_next, _) in pairwise(ranges):
        if start_of_next <= end_of_one:
            raise OverlappingAllocationPools(f"Found overlapping allocation pools on subnet {network}.")
    check_gateway_outside(pools, gateway)
    return tuple((text(low, network.version), text(high, network.version)) for low, high in ranges)


def check_gateway_outside(pools: Pools, gateway: str | None) -> None:
    """Raise Conflict when a pool holds the gateway."""
    number = None if gateway is None else int(ip_address(gateway))
    for low, high in spans(pools):
        if number is not None and low <= number <= high:
            raise GatewayConflictWithAllocationPools(
                f"Gateway ip {gateway} conflicts with allocation pool "
                f"{ip_address_like(gateway, low)}-{ip_address_like(gateway, high)}."
            )


def ip_address_like(sample: str | None, number: int) -> IPv4Address | IPv6Address:
    """A number as an address of the sample's IP version."""
    return IPv6Address(number) if sample is not None and ":" in sample else IPv4Address(number)


def check_routes(routes: Sequence[tuple[str, str]], version: int) -> tuple[tuple[str, str], ...]:
    """Host routes in canonical form. Raises InvalidInput."""
    if len(routes) > MAX_ROUTES:
        raise InvalidInput("host_routes", f"there are {len(routes)}, the limit is {MAX_ROUTES}")
    checked = []
    for destination, hop in routes:
        range_, address = ip_network(destination, strict=False), ip_address(hop)
        if range_.version != version or address.version != version:
            raise InvalidInput("host_routes", f"the route to {destination} via {hop} is not of IP version {version}")
        checked.append((str(range_), str(address)))
    return tuple(checked)


def check_name_servers(servers: Sequence[str], version: int) -> tuple[str, ...]:
    """Name servers in canonical form. Raises InvalidInput."""
    if len(servers) > MAX_NAME_SERVERS:
        raise InvalidInput("dns_nameservers", f"there are {len(servers)}, the limit is {MAX_NAME_SERVERS}")
    if len(set(servers)) < len(servers):
        raise InvalidInput("dns_nameservers", "one is there twice")
    wrong = next((server for server in servers if ip_address(server).version != version), None)
    if wrong is not None:
        raise InvalidInput("dns_nameservers", f"{wrong} is not of IP version {version}")
    return tuple(str(ip_address(server)) for server in servers)


def check_modes(version: int, ra_mode: str | None, address_mode: str | None, *, dhcp: bool) -> None:
    """How IPv6 guests get addresses. The hosts serve stateful DHCPv6. Raises InvalidInput."""
    for field, mode in (("ipv6_ra_mode", ra_mode), ("ipv6_address_mode", address_mode)):
        if mode is None:
            continue
        if version != 6 or not dhcp:
            raise InvalidInput(field, "it is for IPv6 subnets with 'enable_dhcp': true")
        if mode != "dhcpv6-stateful":
            raise InvalidInput(field, f"the hosts of this cloud serve dhcpv6-stateful, not {mode}")


def check_apart(network: Range, others: Iterable[Subnet]) -> None:
    """Raise InvalidInput when another subnet of the same network has some of these addresses."""
    for other in others:
        theirs = ip_network(other.cidr)
        if theirs.version == network.version and theirs.overlaps(network):
            raise InvalidInput(
                "cidr",
                f"Requested subnet with cidr: {network} for network: {other.network_id} overlaps with another subnet: "
                f"{other.id} ({other.cidr})",
            )
