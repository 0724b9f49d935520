"""
The VXLAN devices that carry a network between its hosts: planned (pure), and made with netlink.

A device floods what it does not know to every other host of the network, one copy each (head-end replication), and learns
from what arrives which host a MAC is behind. What it learnt is true, as every host pins its guests to their addresses; it may
be old when a port has moved, so a newer generation of the network makes it forget.
"""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from pyroute2 import IPRoute
from pyroute2.netlink.exceptions import NetlinkError

from kilonova.agent.network.conflicts import refused
from kilonova.agent.network.devices import index_of, silence
from kilonova.agent.network.names import tunnel_name
from kilonova.domain.hostnet import NetworkSpec

VXLAN_PORT = 4789  # IANA's
OVERHEAD = 50  # bytes that VXLAN over IPv4 adds to a packet
_ANY_MAC = "00:00:00:00:00:00"
_PERMANENT = 0x80
_SOMEWHERE = ("192.0.2.1", 9)  # documentation's: the default route leads there, and nothing is sent


@dataclass(frozen=True)
class Tunnel:
    """A network's VXLAN device on this host. `peers`: the tunnel addresses of its other hosts."""

    name: str
    bridge: str
    vni: int
    local: str
    peers: tuple[str, ...]
    mtu: int
    generation: int


def plan_tunnel(network: NetworkSpec, local: str) -> Tunnel | None:
    """The tunnel of a network; None where there is nobody to tunnel to."""
    peers = tuple(sorted(set(network.tunnels) - {local}))
    if network.segment is None or not peers:
        return None
    return Tunnel(
        name=tunnel_name(network.bridge), bridge=network.bridge, vni=network.segment, local=local, peers=peers,
        mtu=network.mtu, generation=network.generation,
    )  # fmt: skip


def tunnel_address(configured: str) -> str:
    """The address that this host's tunnels end at: as configured, else that of the default route; empty when there is none."""
    if configured:
        return configured
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe, suppress(OSError):
        probe.connect(_SOMEWHERE)
        return str(probe.getsockname()[0])
    return ""


def check_underlay(tunnel: Tunnel) -> None:
    """Raise HostFailure unless this host has the tunnel's address on a device that takes its packets whole."""
    with IPRoute() as netlink:
        found = (
            next(iter(netlink.get_addr(family=socket.AF_INET, address=tunnel.local)), None) if tunnel.local else None
        )
        mtu = 0 if found is None else netlink.get_links(found["index"])[0].get_attr("IFLA_MTU")
    if found is None:
        has = (
            f"the tunnel address {tunnel.local}, which none of its devices has" if tunnel.local else "no tunnel address"
        )
        raise refused(
            f"This host has {has}, and a network that it shares with others needs one. Set `tunnel_ip` of its agent to an "
            "address of this host that the others reach."
        )
    if mtu < tunnel.mtu + OVERHEAD:
        raise refused(
            f"The network's MTU of {tunnel.mtu} and the tunnel's {OVERHEAD} bytes do not fit the MTU of {mtu} on this host's "
            f"way to the others ({tunnel.local}). Raise that, or make networks with a lower MTU."
        )


class Tunnels:
    """Makes tunnels and unmakes them. One that was seen right is not looked at again while it is the same device."""

    def __init__(self) -> None:
        self._fresh_as_of: dict[str, int] = {}  # the generation that each forgot for
        self._seen: dict[str, tuple[object, ...]] = {}

    def ensure(self, tunnel: Tunnel) -> None:
        """Make the device exist as planned, on its bridge and up. Traffic under way goes on when nothing differs."""
        if self._seen.get(tunnel.name) == _standing(tunnel):
            return
        with IPRoute() as netlink:
            index = index_of(tunnel.name)
            if index is not None and not _is_same(netlink, index, tunnel):
                netlink.link("del", index=index)
                index = None
            if index is None:
                netlink.link(
                    "add", ifname=tunnel.name, kind="vxlan", vxlan_id=tunnel.vni, vxlan_local=tunnel.local,
                    vxlan_port=VXLAN_PORT, vxlan_learning=True, mtu=tunnel.mtu,
                )  # fmt: skip
                index = socket.if_nametoindex(tunnel.name)
            silence(tunnel.name)
            self._converge_peers(netlink, index, tunnel)
            netlink.link("set", index=index, master=index_of(tunnel.bridge), mtu=tunnel.mtu, state="up")
        self._seen[tunnel.name] = _standing(tunnel)

    def remove(self, name: str) -> None:
        """Make it not exist."""
        self._fresh_as_of.pop(name, None)
        self._seen.pop(name, None)
        if (index := index_of(name)) is not None:
            with IPRoute() as netlink:
                netlink.link("del", index=index)

    def _converge_peers(self, netlink: Any, index: int, tunnel: Tunnel) -> None:
        entries = list(_entries(netlink, index))
        present = {peer for mac, peer, _ in entries if mac == _ANY_MAC}
        for peer in set(tunnel.peers) - present:
            netlink.fdb("append", ifindex=index, lladdr=_ANY_MAC, dst=peer)
        for peer in present - set(tunnel.peers):
            netlink.fdb("del", ifindex=index, lladdr=_ANY_MAC, dst=peer)
        is_newer = self._fresh_as_of.get(tunnel.name) != tunnel.generation
        for mac, peer, is_learnt in entries:
            if is_learnt and (is_newer or peer not in tunnel.peers):
                with suppress(NetlinkError):  # it grew old by itself meanwhile
                    netlink.fdb("del", ifindex=index, lladdr=mac, dst=peer)
        self._fresh_as_of[tunnel.name] = tunnel.generation


def _standing(tunnel: Tunnel) -> tuple[object, ...]:
    return (tunnel, index_of(tunnel.name), index_of(tunnel.bridge))


def _entries(netlink: Any, index: int) -> Iterator[tuple[str, str, bool]]:
    """The device's own forwarding entries: MAC, where to, and whether it was learnt."""
    for entry in netlink.fdb("dump", ifindex=index):
        if entry["ifindex"] == index and entry.get_attr("NDA_DST") is not None:
            yield entry.get_attr("NDA_LLADDR"), entry.get_attr("NDA_DST"), not entry["state"] & _PERMANENT


def _is_same(netlink: Any, index: int, tunnel: Tunnel) -> bool:
    about = netlink.get_links(index)[0].get_attr("IFLA_LINKINFO")
    data = about.get_attr("IFLA_INFO_DATA") if about.get_attr("IFLA_INFO_KIND") == "vxlan" else None
    return data is not None and (data.get_attr("IFLA_VXLAN_ID"), data.get_attr("IFLA_VXLAN_LOCAL")) == (
        tunnel.vni,
        tunnel.local,
    )
