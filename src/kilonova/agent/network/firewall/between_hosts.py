"""
What may not pass between the hosts of a tunnelled network, and whose packets a tunnel takes (the package's text says why).

Every host is the gateway of its own guests, all of them with the same MAC and addresses. So neither the gateway nor a question
for it crosses a tunnel, in either direction; nor does DHCP where the hosts serve it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from kilonova.agent.network.devices import Bridge
from kilonova.agent.network.firewall.text import chain, named_set, quoted
from kilonova.agent.network.tunnels import VXLAN_PORT

_VNI = "@th,96,24"  # behind the UDP header's 64 bits and VXLAN's flags
_TARGET = "@th,64,128"  # of a neighbour solicitation or advertisement


@dataclass(frozen=True)
class Passage:
    """
    A network's tunnel as the firewall knows it: its device, who may send through it, and the gateway that must not be seen in it.

    A network without `vni` has none, and its gateway is guarded all the same.
    """

    device: str
    vni: int | None
    peers: tuple[str, ...]
    gateway: Bridge
    has_dhcp: bool
    unguarded: tuple[
        str, ...
    ] = ()  # taps of the network's ports without port security, which could pose as the gateway


def bridge_lines(passages: Sequence[Passage]) -> list[str]:
    """Sets and chains of the bridge table; `from_tunnel` and `to_tunnel` are for its hooks to jump to."""
    impostors = [(name, one.gateway.mac) for one in passages for name in (one.device, *one.unguarded)]
    gateways = [(one.device, address.ip) for one in passages for address in one.gateway.addresses]
    four = [f"{quoted(device)} . {address}" for device, address in gateways if address.version == 4]
    six = [f"{quoted(device)} . 0x{int(address):032x}" for device, address in gateways if address.version == 6]
    return [
        *named_set("tunnels", "type ifname;", [quoted(one.device) for one in passages]),
        *named_set("served_tunnels", "type ifname;", [quoted(one.device) for one in passages if one.has_dhcp]),
        *named_set("gateway_macs", "type ifname . ether_addr;", [f"{quoted(name)} . {mac}" for name, mac in impostors]),
        *named_set("tunnel_gateways4", "type ifname . ipv4_addr;", four),
        *named_set("tunnel_gateways6", f"typeof iifname . {_TARGET};", six),
        *chain("from_tunnel", _closed("iifname")),
        *chain("to_tunnel", ["oifname . ether daddr @gateway_macs drop", *_closed("oifname")]),
    ]


def sent_rules() -> list[str]:
    """For the bridge table's prerouting: nobody behind these devices is the gateway."""
    return ["iifname . ether saddr @gateway_macs drop", "iifname @tunnels goto from_tunnel"]


def delivered_rules() -> list[str]:
    """For the bridge table's postrouting."""
    return ["oifname @tunnels goto to_tunnel"]


def _closed(device: str) -> list[str]:
    served = f"{device} @served_tunnels"
    return [
        f"{device} . ether saddr @gateway_macs drop",
        f"{device} . arp saddr ip @tunnel_gateways4 drop",
        f"{device} . arp daddr ip @tunnel_gateways4 drop",
        f"icmpv6 type {{ nd-neighbor-solicit, nd-neighbor-advert }} {device} . {_TARGET} @tunnel_gateways6 drop",
        f"{served} icmpv6 type {{ nd-router-solicit, nd-router-advert, nd-redirect }} drop",
        *(f"{served} udp sport {a} udp dport {b} drop" for a, b in ((67, 68), (68, 67), (546, 547), (547, 546))),
    ]


def inet_sets(passages: Sequence[Passage]) -> list[str]:
    """Sets of the inet table."""
    pairs = [f"{one.vni} . {peer}" for one in passages for peer in one.peers]
    return [
        *named_set("vnis", f"typeof {_VNI};", [str(one.vni) for one in passages if one.vni is not None]),
        *named_set("vteps", f"typeof {_VNI} . ip saddr;", pairs),
    ]


def from_peers() -> str:
    """For the inet table's input: a tunnel takes packets of the hosts that share its network. Others' VXLAN is not ours."""
    return f"udp dport {VXLAN_PORT} {_VNI} @vnis {_VNI} . ip saddr != @vteps drop"


def from_guests() -> str:
    """For the inet table's forward: a guest that spoke VXLAN to another host would do so in this host's name."""
    return f"iifname @bridges oifname != @bridges udp dport {VXLAN_PORT} drop"
