"""Bridges: what each is to look like (pure), and the difference made with netlink."""

from __future__ import annotations

import hashlib
import os
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Interface, IPv6Interface, ip_interface
from typing import Any

from pyroute2 import IPRoute

from kilonova.agent.network.conflicts import Range
from kilonova.agent.network.sysctl import write_sysctl
from kilonova.domain.addresses import ip_address, ip_network
from kilonova.domain.hostnet import NetworkSpec

Interface = IPv4Interface | IPv6Interface

_MAIN_TABLE = 254
_LINK_SCOPE = 253
_BY_KERNEL = 2  # who made a route: the kernel, of an address


@dataclass(frozen=True)
class Bridge:
    """A network's bridge on this host, or what stands for it in its gateway's namespace, and owns the gateways' addresses."""

    name: str
    mac: str
    mtu: int
    addresses: tuple[Interface, ...]
    on_link: tuple[Range, ...] = ()  # ranges that are there although the host has no address in them

    @property
    def speaks_ipv6(self) -> bool:
        """Whether the host itself has an address there in IPv6."""
        return any(address.version == 6 for address in self.addresses)


def plan_bridge(network: NetworkSpec) -> Bridge:
    """
    What has the gateways' addresses of a network: the device in its gateway's namespace.

    Its MAC is made from the network's id and so the same on every host: a guest that moves finds its gateway unchanged.
    """
    digest = hashlib.sha256(network.id.encode()).digest()
    gateways = [
        ip_interface(f"{subnet.gateway}/{ip_network(subnet.cidr).prefixlen}")
        for subnet in network.subnets
        if subnet.gateway is not None
    ]
    # Without a gateway the host has no address in the subnet, and still serves it: from one that is of no subnet.
    on_link = [
        ip_network(one.cidr) for one in network.subnets if one.gateway is None and one.dhcp and one.ip_version == 4
    ]
    service = [ip_interface(service_address(network.id))] if on_link else []
    return Bridge(
        name=network.bridge,
        mac="02:6b:6e:" + ":".join(f"{byte:02x}" for byte in digest[:3]),
        mtu=network.mtu,
        addresses=(*gateways, *service),
        on_link=tuple(on_link),
    )


def plan_switch(network: NetworkSpec) -> Bridge:
    """The bridge of a network: it joins devices and has no address itself, as the gateway is in a namespace."""
    digest = hashlib.sha256(network.id.encode()).digest()
    mac = "02:6b:73:" + ":".join(f"{byte:02x}" for byte in digest[:3])  # not the gateway's, which is behind it
    return Bridge(name=network.bridge, mac=mac, mtu=network.mtu, addresses=())


def service_address(network_id: str) -> IPv4Address:
    """
    Where guests of a subnet without a gateway find DHCP, DNS and metadata: link-local, never routed, the same on every host.

    Each network has its own, since two dnsmasqs cannot listen on one. It is none that a cloud may have given a meaning
    (169.254.169.0/24 and the ends of the range, which RFC 3927 reserves).
    """
    digest = hashlib.sha256(network_id.encode()).digest()
    return IPv4Address(bytes([169, 254, digest[0] % 168 + 1, digest[1]]))


class Bridges:
    """
    Makes bridges and unmakes them.

    A bridge that was seen right is not looked at again while its device is the same one: a merge must not cost a walk
    through every device of a busy host.
    """

    def __init__(self) -> None:
        self._seen: dict[str, tuple[Bridge, int]] = {}

    def ensure(self, bridge: Bridge) -> None:
        """Make the bridge exist as planned, and up."""
        if self._seen.get(bridge.name) == (bridge, index_of(bridge.name)):
            return
        with IPRoute() as netlink:
            if index_of(bridge.name) is None:
                netlink.link(
                    "add", ifname=bridge.name, kind="bridge", address=bridge.mac, br_stp_state=0, br_forward_delay=0
                )
            index = socket.if_nametoindex(bridge.name)
            # Bridged packets of this bridge alone meet the inet hooks, whatever the machine's other bridges do.
            netlink.link("set", index=index, kind="bridge", br_nf_call_iptables=1, br_nf_call_ip6tables=1)
            converge_device(netlink, bridge)
            if not bridge.addresses:
                # Else the machine would answer here for the addresses that it has elsewhere.
                write_sysctl(f"net/ipv4/conf/{bridge.name}/arp_ignore", "8")
        self._seen[bridge.name] = (bridge, index)

    def known(self) -> set[str]:
        """The names of those that this has made or found right."""
        return set(self._seen)

    def remove(self, name: str) -> None:
        """Make the bridge not exist; whatever is plugged in is let go of."""
        self._seen.pop(name, None)
        index = index_of(name)
        if index is not None:
            with IPRoute() as netlink:
                netlink.link("del", index=index)


def devices(prefix: str) -> list[str]:
    """The names of the devices that begin with `prefix`."""
    return sorted(name for _, name in socket.if_nameindex() if name.startswith(prefix))


def own_addresses(but: set[str]) -> tuple[str, ...]:
    """The machine's addresses that mean it and nothing else; those of the devices `but` are left out."""
    indexes = {index for index, name in socket.if_nameindex() if name in but}
    with IPRoute() as netlink:
        messages = list(netlink.get_addr())
    found = {
        ip_address(one.get_attr("IFA_LOCAL") or one.get_attr("IFA_ADDRESS"))
        for one in messages
        if one["index"] not in indexes
    }
    return tuple(sorted(str(one) for one in found if not one.is_loopback and not one.is_link_local))


def foreign_routes(own: set[str]) -> list[Range]:
    """What the machine routes by itself: all but default routes, IPv6's link-local ones, and those over `own` devices."""
    indexes = {index for index, name in socket.if_nameindex() if name in own}
    return [span for span, device in _routes() if device not in indexes]


def routes_beside(own: set[str]) -> list[Range]:
    """Those of them that lead elsewhere than where a default route does; none when there is no default route."""
    with IPRoute() as netlink:
        ways_out = {device for route in netlink.get_default_routes(table=_MAIN_TABLE) for device in _devices(route)}
    indexes = {index for index, name in socket.if_nameindex() if name in own}
    return sorted({span for span, device in _routes() if device not in indexes | ways_out}, key=str) if ways_out else []


def _devices(route: Any) -> list[int]:
    """Where a route leads, each of its hops."""
    hops = [hop["oif"] for hop in route.get_attr("RTA_MULTIPATH") or ()]
    return hops or [route.get_attr("RTA_OIF")]


def _routes() -> Iterator[tuple[Range, int | None]]:
    with IPRoute() as netlink:
        routes = list(netlink.get_routes(table=_MAIN_TABLE))
    for route in routes:
        target = route.get_attr("RTA_DST")
        span = None if target is None else ip_network(f"{target}/{route['dst_len']}")
        if span is not None and not span.is_link_local and span.prefixlen > 0:
            yield span, route.get_attr("RTA_OIF")


def converge_device(netlink: Any, bridge: Bridge) -> None:
    """Have the device that exists have the plan's MAC, MTU, addresses and routes, and be up."""
    index = socket.if_nametoindex(bridge.name)
    _quiet(bridge)
    netlink.link("set", index=index, address=bridge.mac, mtu=bridge.mtu, state="up")
    _converge_addresses(netlink, index, bridge.addresses)
    _converge_routes(netlink, index, bridge.on_link)


def silence(name: str) -> None:
    """Have the host itself not speak IPv6 on a device that only carries what others say."""
    if _knows_ipv6(name):
        write_sysctl(f"net/ipv6/conf/{name}/disable_ipv6", "1")


def index_of(name: str) -> int | None:
    """The index of a device; None when there is none of that name."""
    try:
        return socket.if_nametoindex(name)
    except OSError:
        return None


def _knows_ipv6(name: str) -> bool:
    return os.path.isdir(f"/proc/sys/net/ipv6/conf/{name}")  # noqa: PTH112 - absent when the kernel has no IPv6


def _quiet(bridge: Bridge) -> None:
    """A guest's router advertisements must not configure the host; without a subnet in IPv6 the host is not there at all."""
    if _knows_ipv6(bridge.name):
        write_sysctl(f"net/ipv6/conf/{bridge.name}/accept_ra", "0")
        write_sysctl(f"net/ipv6/conf/{bridge.name}/disable_ipv6", "0" if bridge.speaks_ipv6 else "1")
        write_sysctl(f"net/ipv6/conf/{bridge.name}/accept_dad", "0")


def _converge_addresses(netlink: Any, index: int, wanted: tuple[Interface, ...]) -> None:
    present = set(_addresses(netlink, index))
    for address in present - set(wanted):
        netlink.addr("del", index=index, address=str(address.ip), prefixlen=address.network.prefixlen)
    for address in wanted:
        if address not in present:
            netlink.addr("add", index=index, address=str(address.ip), prefixlen=address.network.prefixlen)


def _converge_routes(netlink: Any, index: int, wanted: tuple[Range, ...]) -> None:
    """Have these ranges on the link besides those of its addresses, which come and go with them."""
    for route in netlink.get_routes(family=socket.AF_INET, table=_MAIN_TABLE, oif=index):
        target = route.get_attr("RTA_DST")
        if route["proto"] != _BY_KERNEL and ip_network(f"{target}/{route['dst_len']}") not in wanted:
            netlink.route("del", dst=f"{target}/{route['dst_len']}", oif=index, table=_MAIN_TABLE)
    for span in wanted:
        netlink.route("replace", dst=str(span), oif=index, scope=_LINK_SCOPE)


def _addresses(netlink: Any, index: int) -> Iterator[Interface]:
    for message in netlink.get_addr(index=index):
        address = ip_interface(f"{message.get_attr('IFA_ADDRESS')}/{message['prefixlen']}")
        if address.version == 4 or not address.is_link_local:
            yield address
