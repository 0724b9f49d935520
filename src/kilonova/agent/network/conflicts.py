"""
Refuses, before anything on the host changes, what it does not serve or what would break the machine's own network.

Pure: the share and the machine's own routes in, `HostFailure` out. Another host may well take what this one refuses.
"""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from pathlib import Path

from kilonova.agent.failure import HostFailure
from kilonova.domain.addresses import ip_address
from kilonova.domain.hostnet import HostNetwork, NetworkSpec
from kilonova.domain.report import HostFault

_SEGMENTS = 1 << 24
# Set aside for measuring networks (RFC 2544): never in the internet, and hardly in use. 65,536 pairs.
UPLINKS = IPv4Network("198.18.0.0/15")

Range = IPv4Network | IPv6Network
Address = IPv4Address | IPv6Address


def refused(message: str) -> HostFailure:
    """This host cannot; another could."""
    return HostFailure(HostFault(message=message, elsewhere=True))


def check_kinds(share: HostNetwork) -> None:
    """Only flat and VXLAN networks without an uplink are served, and the latter have an id."""
    for network in share.networks:
        if network.kind not in ("flat", "vxlan") or network.physical is not None:
            uplink = f" with uplink {network.physical}" if network.physical else ""
            raise refused(
                f"This host serves flat and VXLAN networks behind NAT, and network {_named(network)} is of kind "
                f"{network.kind}{uplink}. Create the network without provider attributes, or place the server on a host that "
                "has that network."
            )
        if network.is_tunnelled and (network.segment is None or not 0 < network.segment < _SEGMENTS):
            raise refused(f"Network {_named(network)} is of kind vxlan and has no VXLAN id of 1 to {_SEGMENTS - 1}.")


def check_ports(share: HostNetwork) -> None:
    """Every port is on a network that the host knows."""
    known = {network.id for network in share.networks}
    for port in share.ports:
        if port.network_id not in known:
            raise refused(
                f"Port {port.id} is on network {port.network_id}, of which this host was told nothing. Send both together."
            )


def check_machine(uplinks: Iterable[IPv4Network], routes: Iterable[Range], resolvers: Iterable[Address]) -> None:
    """
    None of the gateways' uplinks takes over what the machine itself talks to; nothing else of networks is in its routing table.

    `routes`: the machine's own, without the default route. A wide one, such as half of all that there is by a VPN, is no claim to
    these very addresses.
    """
    routes, resolvers = list(routes), list(resolvers)
    for pair in uplinks:
        clash = next((route for route in routes if pair.overlaps(route) and route.prefixlen >= UPLINKS.prefixlen), None)
        if clash is not None:
            raise refused(
                f"A network's gateway reaches this host at {pair}, and this host's own routing table (`ip route`) leads {clash} "
                "elsewhere. Free these addresses, or place the server on another host."
            )
        resolver = next((address for address in resolvers if address in pair), None)
        if resolver is not None:
            raise refused(
                f"A network's gateway reaches this host at {pair}, where {resolver}, the name server of this host "
                "(/etc/resolv.conf), is. Use another name server, or another host."
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


def upstream_file(resolv_conf: str, beyond: Path) -> Path | None:
    """
    Where a gateway finds name servers: in a namespace the machine's own, at a loopback address, is out of reach, so then it is
    `beyond`, the file in which systemd-resolved names those that it asks itself. None: the machine's resolv.conf will do.
    """
    servers = resolvers_in(resolv_conf)
    return beyond if servers and all(server.is_loopback for server in servers) else None


def _named(network: NetworkSpec) -> str:
    return f"{network.name} ({network.id})" if network.name else network.id
