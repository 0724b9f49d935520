"""
A network's gateway on this host: a namespace that the guests here reach the outside by, with DHCP and metadata.

           the machine                                       the gateway's namespace
    tap ---+
    tap ---+ knb... (a bridge without an address) -- knr... = knb... (the gateway's addresses, dnsmasq, metadata)
    knx ---+ to the other hosts                      knu... = outside (a pair of addresses of this network alone) NAT

A range that a tenant chose is never in the machine's own routing table: whatever it is, it moves nobody's way but that of its own
guests. Two networks of the same range never meet, as each has its own routing table and its own flows; of either the machine sees
only the pair of addresses that its number (slots.py) gives it. The device inside is named like the bridge.
"""

from __future__ import annotations

import socket
from dataclasses import dataclass
from ipaddress import IPv4Interface, IPv4Network
from pathlib import Path
from typing import Any

from pyroute2 import IPRoute

from kilonova.agent.network.devices import Bridge, converge_device, index_of, plan_bridge, silence
from kilonova.agent.network.names import gateway_port_name, uplink_name
from kilonova.agent.network.namespaces import ensure_namespace, identity, inside, remove_namespace
from kilonova.agent.network.slots import uplink_pair
from kilonova.agent.network.sysctl import IP_FORWARD, write_sysctl
from kilonova.domain.hostnet import NetworkSpec

_OUTSIDE = "outside"


@dataclass(frozen=True)
class Gateway:
    """
    A network's gateway. `near` and `far` are the two ends of its uplink: in the machine, and in the namespace.

    `zone`: the conntrack zone that its guests' flows have in the machine.
    """

    namespace: str
    inner: Bridge
    port: str
    uplink: str
    near: IPv4Interface
    far: IPv4Interface
    zone: int
    routes: bool

    @property
    def span(self) -> IPv4Network:
        """The pair of addresses of its uplink."""
        return self.near.network


def plan_gateway(network: NetworkSpec, tag: str, slot: int) -> Gateway:
    """The gateway of a network; `tag` tells this host's namespaces from those of others on the machine."""
    pair = uplink_pair(slot)
    return Gateway(
        namespace=f"{network.bridge}-{tag}",
        inner=plan_bridge(network),
        port=gateway_port_name(network.bridge),
        uplink=uplink_name(network.bridge),
        near=IPv4Interface(f"{pair[0]}/31"),
        far=IPv4Interface(f"{pair[1]}/31"),
        zone=slot,
        routes=network.nat,
    )


def ensure_gateway(gateway: Gateway) -> bool:
    """Make the namespace, its two cables and its addresses as planned; whether the namespace had to be made."""
    is_new = ensure_namespace(gateway.namespace)
    if is_new:
        _cut(gateway.inner.name)  # cables into one that lost its name
    with Path("/run/netns", gateway.namespace).open("rb") as there, IPRoute() as netlink:
        for near, far, mac in ((gateway.port, gateway.inner.name, gateway.inner.mac), (gateway.uplink, _OUTSIDE, None)):
            if index_of(near) is None:
                peer = {"ifname": far, "net_ns_fd": there.fileno(), **({"address": mac} if mac else {})}
                netlink.link("add", ifname=near, kind="veth", peer=peer)
        silence(gateway.port)
        silence(gateway.uplink)
        netlink.link(
            "set", index=index_of(gateway.port), master=index_of(gateway.inner.name), mtu=gateway.inner.mtu, state="up"
        )
        uplink = socket.if_nametoindex(gateway.uplink)
        netlink.link("set", index=uplink, state="up")
        _converge_uplink(netlink, uplink, gateway.near)
    with inside(gateway.namespace):
        _converge_inside(gateway)
    return is_new


def standing(gateway: Gateway) -> tuple[object, ...]:
    """What tells this very gateway, as planned, from one that was made anew: a merge must not cost a walk through all of them."""
    devices = (index_of(gateway.inner.name), index_of(gateway.port), index_of(gateway.uplink))
    return (gateway, identity(gateway.namespace), *devices)


def remove_gateway(namespace: str, bridge: str) -> None:
    """Make none of it exist."""
    _cut(bridge)
    remove_namespace(namespace)


def _cut(bridge: str) -> None:
    with IPRoute() as netlink:
        for name in (gateway_port_name(bridge), uplink_name(bridge)):
            if (index := index_of(name)) is not None:
                netlink.link("del", index=index)


def _converge_inside(gateway: Gateway) -> None:
    with IPRoute() as netlink:
        netlink.link("set", index=socket.if_nametoindex("lo"), state="up")
        converge_device(netlink, gateway.inner)
        outside = socket.if_nametoindex(_OUTSIDE)
        silence(_OUTSIDE)
        netlink.link("set", index=outside, state="up")
        _converge_uplink(netlink, outside, gateway.far)
        netlink.route("replace", dst="0.0.0.0/0", gateway=str(gateway.near.ip))
    write_sysctl(IP_FORWARD, "1" if gateway.routes else "0")


def _converge_uplink(netlink: Any, index: int, wanted: IPv4Interface) -> None:
    present = {
        IPv4Interface(f"{one.get_attr('IFA_LOCAL')}/{one['prefixlen']}")
        for one in netlink.get_addr(index=index, family=socket.AF_INET)
    }
    for address in present - {wanted}:
        netlink.addr("del", index=index, address=str(address.ip), prefixlen=address.network.prefixlen)
    if wanted not in present:
        netlink.addr("add", index=index, address=str(wanted.ip), prefixlen=31)
