"""
Refuses, before anything on the host changes, what its root namespace cannot route or what would break the machine's network.

Pure: the share and the machine's own routes in, `HostFailure` out. Another host may well take what this one refuses.
"""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network

from kilonova.agent.hypervisor.failure import HostFailure
from kilonova.domain.addresses import ip_address, ip_network
from kilonova.domain.hostnet import HostNetwork, NetworkSpec
from kilonova.domain.report import HostFault

Range = IPv4Network | IPv6Network
Address = IPv4Address | IPv6Address


def refused(message: str) -> HostFailure:
    """This host cannot; another could."""
    return HostFailure(HostFault(message=message, elsewhere=True))


def check_kinds(share: HostNetwork) -> None:
    """Only flat networks without an uplink are served in the root namespace."""
    for network in share.networks:
        if network.kind != "flat" or network.physical is not None:
            uplink = f" with uplink {network.physical}" if network.physical else ""
            raise refused(
                f"This host serves flat networks behind NAT, and network {_named(network)} is of kind {network.kind}{uplink}. "
                "Create the network without provider attributes, or place the server on a host that has that network."
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
        _ranges(share), key=lambda pair: (pair[1].version, pair[1].network_address, pair[1].prefixlen)
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
    for network, subnet in _ranges(share):
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


def _ranges(share: HostNetwork) -> list[tuple[NetworkSpec, Range]]:
    return [(network, ip_network(subnet.cidr)) for network in share.networks for subnet in network.subnets]


def _named(network: NetworkSpec) -> str:
    return f"{network.name} ({network.id})" if network.name else network.id
