"""
A host's share of the networks, as desired state: what its bridges, DHCP, metadata and firewall must look like.

`HostNetwork` is either the whole of it (sent on request; what is not in it must go) or a part (sent along with a server;
merged). Both are level-triggered: converging twice changes nothing.

A network and a group have a *generation*, which each telling of a change raises by one. Of two states the higher one is newer;
what a host takes for the newest of all it says now and then, and is told anew what it has missed. `ShareChange` is the step from
one generation to the next: it is as small as what changed, however many there are of what did not (ADR 0012).
"""

from __future__ import annotations

import hashlib

import msgspec

from kilonova.domain.reach import GuestReach

OUTLINE = -1  # older than any generation: what bears it is not known in full


class SubnetSpec(msgspec.Struct, frozen=True, kw_only=True):
    """One subnet; addresses as text, `cidr` with its prefix."""

    id: str
    cidr: str
    ip_version: int
    gateway: str | None
    dhcp: bool
    dns: tuple[str, ...] = ()
    routes: tuple[tuple[str, str], ...] = ()  # (destination, next hop)


class NetworkSpec(msgspec.Struct, frozen=True, kw_only=True):
    """
    One network. `kind`: flat (a bridge of this host alone), vxlan (joined to the same network on other hosts); `segment` is the
    id of the latter, `tunnels` the tunnel addresses of all hosts that have ports of it. With the generation `OUTLINE`, it comes
    without these, for a host that has the network already.
    """

    id: str
    name: str
    kind: str
    mtu: int
    subnets: tuple[SubnetSpec, ...]
    segment: int | None = None
    physical: str | None = None  # uplink of a flat or VLAN network; None: NAT to the outside
    nat: bool = True
    admin_up: bool = True  # False: none of its ports sends or receives
    tunnels: tuple[str, ...] = ()
    generation: int = 0

    @property
    def is_tunnelled(self) -> bool:
        """Whether it spans hosts; its gateway is then in a namespace of its own on each."""
        return self.kind == "vxlan"

    @property
    def bridge(self) -> str:
        """The bridge's device name, at most 15 characters."""
        return bridge_name(self.id)


class RuleSpec(msgspec.Struct, frozen=True, kw_only=True):
    """One security-group rule: what it lets through. Ports are inclusive; for ICMP they are type and code."""

    id: str
    direction: str  # ingress or egress
    ethertype: str  # IPv4 or IPv6
    protocol: str | None = None  # a name or a number as text
    port_min: int | None = None
    port_max: int | None = None
    remote_cidr: str | None = None
    remote_group: str | None = None


class GroupSpec(msgspec.Struct, frozen=True, kw_only=True):
    """
    A security group's rules, and by network the addresses of its members (for rules that name it as their remote): an address
    means somebody else on another network.
    """

    id: str
    rules: tuple[RuleSpec, ...] = ()
    members_on: dict[str, tuple[str, ...]] = {}
    generation: int = 0


class PortSpec(msgspec.Struct, frozen=True, kw_only=True):
    """A port on this host."""

    id: str
    network_id: str
    server_id: str
    mac: str
    addresses: tuple[str, ...]  # fixed IPs, no prefix
    groups: tuple[str, ...]
    hostname: str
    port_security: bool = True
    admin_up: bool = True
    allowed_pairs: tuple[tuple[str, str], ...] = ()  # (cidr, mac) it may also use
    dhcp_options: tuple[tuple[str, str, int], ...] = ()  # (name, value, IP version) that its guest is told besides

    @property
    def tap(self) -> str:
        """The tap's device name, at most 15 characters."""
        return tap_name(self.id)


class HostNetwork(msgspec.Struct, frozen=True, kw_only=True):
    """The desired state of one host, or a part of it (see the module's text)."""

    networks: tuple[NetworkSpec, ...] = ()
    ports: tuple[PortSpec, ...] = ()
    groups: tuple[GroupSpec, ...] = ()
    reach: GuestReach | None = None  # None: nothing is said of it


class ShareChange(msgspec.Struct, frozen=True, kw_only=True):
    """
    What made a network or group (`id`) the next generation: its whole new form, or its new rules, and addresses that came or
    went, by network. The addresses are a group's members, or where a network's tunnels end.
    """

    id: str
    generation: int
    network: NetworkSpec | None = None
    rules: tuple[RuleSpec, ...] | None = None
    come: dict[str, tuple[str, ...]] = {}
    gone: dict[str, tuple[str, ...]] = {}


class HeldNetworks(msgspec.Struct, frozen=True, kw_only=True):
    """
    The generation that a host has of each of its networks and groups; OUTLINE where it lacks something of it. `reach`: the digest
    of what its guests may reach, empty when it was never told.

    `urgent` are those of which it may have missed a change: it has just begun to follow them, or saw a gap. Of the others the
    newest change may be on its way to it.
    """

    generations: dict[str, int]
    urgent: tuple[str, ...] = ()
    reach: str = ""


def bridge_name(network_id: str) -> str:
    """The bridge of a network: `knb` and 12 hex digits of the id's hash (a device name has at most 15 characters)."""
    return "knb" + hashlib.sha256(network_id.encode()).hexdigest()[:12]


def tap_name(port_id: str) -> str:
    """The tap of a port: `knt` and 12 hex digits of the id's hash."""
    return "knt" + hashlib.sha256(port_id.encode()).hexdigest()[:12]
