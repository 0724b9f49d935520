"""
Refuses, before anything on the host changes, what its root namespace cannot route or what would break the machine's network.

Pure: the share and the machine's own routes in, `HostFailure` out. Another host may well take what this one refuses.
"""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from pathlib import Path

from kilonova.agent.hypervisor.failure import HostFailure
from kilonova.domain.addresses import ip_address, ip_network
from kilonova.domain.hostnet import HostNetwork, NetworkSpec
from kilonova.domain.report import HostFault

ZONES = 65535  # a conntrack zone has 16 bits, and 0 is everybody else's
_SEGMENTS = 1 << 24
# Set aside for measuring networks (RFC 2544): never in the internet, and hardly in use. 65,536 pairs.
_UPLINKS = IPv4Network("198.18.0.0/15")

Range = IPv4Network | IPv6Network
Address = IPv4Address | IPv6Address


def refused(message: str) -> HostFailure:
    """This host cannot; another could."""
    return HostFailure(HostFault(message=message, elsewhere=True))


def check_kinds(share: HostNetwork) -> None:
    """Only flat and VXLAN networks without an uplink are served, and of two VXLAN ids both can be told from the other."""
    zones: dict[int, NetworkSpec] = {}
    for network in share.networks:
        if network.kind not in ("flat", "vxlan") or network.physical is not None:
            uplink = f" with uplink {network.physical}" if network.physical else ""
            raise refused(
                f"This host serves flat and VXLAN networks behind NAT, and network {_named(network)} is of kind "
                f"{network.kind}{uplink}. Create the network without provider attributes, or place the server on a host that "
                "has that network."
            )
        if network.is_tunnelled:
            _check_segment(network, zones)


def _check_segment(network: NetworkSpec, zones: dict[int, NetworkSpec]) -> None:
    if network.segment is None or not 0 < network.segment < _SEGMENTS:
        raise refused(f"Network {_named(network)} is of kind vxlan and has no VXLAN id of 1 to {_SEGMENTS - 1}.")
    other = zones.setdefault(zone_of(network.segment), network)
    if other is not network:
        raise refused(
            f"VXLAN ids {network.segment} of network {_named(network)} and {other.segment} of {_named(other)} are the same "
            f"modulo {ZONES}, by which a host tells its networks apart. Place the server on another host."
        )


def check_ports(share: HostNetwork) -> None:
    """Every port is on a network that the host knows."""
    known = {network.id for network in share.networks}
    for port in share.ports:
        if port.network_id not in known:
            raise refused(
                f"Port {port.id} is on network {port.network_id}, of which this host was told nothing. Send both together."
            )


def check_overlaps(share: HostNetwork) -> None:
    """Two networks with the same addresses cannot be told apart in one routing table."""
    # Of two ranges either is inside the other or they are apart, so in order it is enough to look at the widest that is open.
    open_network, open_range = None, None
    for network, subnet in sorted(
        _routed_here(share), key=lambda pair: (pair[1].version, pair[1].network_address, pair[1].prefixlen)
    ):
        if open_network is None or open_range is None or not subnet.overlaps(open_range):
            open_network, open_range = network, subnet
        elif open_network.id != network.id:
            raise refused(
                f"Network {_named(network)} ({subnet}) overlaps network {_named(open_network)} ({open_range}) on this host, and "
                "a host keeps all its flat networks in one routing table. Use another range for one of them, or another host."
            )


def check_machine(share: HostNetwork, routes: Iterable[Range], resolvers: Iterable[Address]) -> None:
    """None of the networks takes over what the machine itself talks to. `routes`: its own, without the default route."""
    routes, resolvers = list(routes), list(resolvers)
    for network, subnet in _routed_here(share):
        clash = next((route for route in routes if subnet.overlaps(route)), None)
        if clash is not None:
            raise refused(
                f"Network {_named(network)} ({subnet}) overlaps {clash}, which this host's own routing table (`ip route`) "
                "already leads elsewhere. Use another range for the network, or another host."
            )
        resolver = next((address for address in resolvers if address in subnet), None)
        if resolver is not None:
            raise refused(
                f"Network {_named(network)} ({subnet}) contains {resolver}, the name server of this host (/etc/resolv.conf). "
                "Use another range for the network, or another host."
            )


def resolvers_in(resolv_conf: str) -> list[Address]:
    """The name servers that a resolv.conf names."""
    found: list[Address] = []
    for line in resolv_conf.splitlines():
        match line.split():
            case ["nameserver", address, *_]:
                try:
                    found.append(ip_address(address.partition("%")[0]))
                except ValueError:
                    continue
    return found


def zone_of(segment: int) -> int:
    """The number of 1 to 65535 that stands for a VXLAN id on a host: its flows' conntrack zone, and its uplink's addresses."""
    return segment % ZONES + 1


def uplink_pair(segment: int) -> IPv4Network:
    """The pair of addresses on which the router of a VXLAN network reaches its host."""
    return IPv4Network((int(_UPLINKS.network_address) + 2 * zone_of(segment), 31))


def upstream_file(resolv_conf: str, beyond: Path) -> Path | None:
    """
    Where a router finds name servers: in a namespace the machine's own, at a loopback address, is out of reach, so then it is
    `beyond`, the file in which systemd-resolved names those that it asks itself. None: the machine's resolv.conf will do.
    """
    servers = resolvers_in(resolv_conf)
    return beyond if servers and all(server.is_loopback for server in servers) else None


def _routed_here(share: HostNetwork) -> list[tuple[NetworkSpec, Range]]:
    """The ranges that the host's own routing table is to have: of a network with a router in a namespace only its uplink."""
    found: list[tuple[NetworkSpec, Range]] = []
    for network in share.networks:
        if network.is_tunnelled and network.segment is not None:
            found.append((network, uplink_pair(network.segment)))
        else:
            found += [(network, ip_network(subnet.cidr)) for subnet in network.subnets]
    return found


def _named(network: NetworkSpec) -> str:
    return f"{network.name} ({network.id})" if network.name else network.id
