"""A security group's rules as nft expressions, and the chains of a profile: they read the same in both tables."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping

from kilonova.agent.network.conflicts import refused
from kilonova.agent.network.firewall.guards import Profile, profile_name
from kilonova.agent.network.firewall.text import chain, named_set
from kilonova.domain.addresses import ip_address, ip_network
from kilonova.domain.hostnet import GroupSpec, RuleSpec

# IANA's numbers of the names that Neutron takes.
_PROTOCOLS = {
    "ah": 51,
    "dccp": 33,
    "egp": 8,
    "esp": 50,
    "gre": 47,
    "icmp": 1,
    "icmpv6": 58,
    "igmp": 2,
    "ip": 0,
    "ipip": 4,
    "ipv6-encap": 41,
    "ipv6-frag": 44,
    "ipv6-icmp": 58,
    "ipv6-nonxt": 59,
    "ipv6-opts": 60,
    "ipv6-route": 43,
    "ospf": 89,
    "pgm": 113,
    "rsvp": 46,
    "sctp": 132,
    "tcp": 6,
    "udp": 17,
    "udplite": 136,
    "vrrp": 112,
}
_WITH_PORTS = {6, 17, 33, 132, 136}
_ICMP = {4: 1, 6: 58}
ANY_PROTOCOL = {None, "any", "0"}


def group_sets(
    profiles: Iterable[Profile], groups: Mapping[str, GroupSpec], members: Mapping[tuple[str, str], tuple[str, ...]]
) -> list[str]:
    """
    A set of member addresses in each IP version for every (group, bridge) of which a profile's rule names the group as its
    remote; `members` by the same keys.
    """
    remotes = {
        (rule.remote_group, profile.bridge)
        for profile in profiles
        for group_id in profile.groups
        if group_id in groups
        for rule in groups[group_id].rules
        if rule.remote_group is not None
    }
    lines: list[str] = []
    for group_id, bridge in sorted(remotes):
        addresses = [ip_address(member) for member in members.get((group_id, bridge), ())]
        for version in (4, 6):
            listed = [str(address) for address in addresses if address.version == version]
            lines += named_set(_set_name(group_id, bridge, version), f"type ipv{version}_addr;", listed)
    return lines


def profile_chain(direction: str, profile: Profile, groups: Mapping[str, GroupSpec], *, stateful: bool) -> list[str]:
    """The rules of a profile's groups in one direction: `return` lets a packet through, the end drops it."""
    rules = [rule for group_id in profile.groups if group_id in groups for rule in groups[group_id].rules]
    expressions = sorted({expression(rule, profile.bridge) for rule in rules if rule.direction == direction})
    head = ["ct state invalid drop"] if stateful else []
    return chain(f"{direction}_{profile_name(profile)}", [*head, *(f"{match} return" for match in expressions), "drop"])


def expression(rule: RuleSpec, bridge: str) -> str:
    """What the rule matches on a bridge. Raises HostFailure when it cannot be said."""
    version = 6 if rule.ethertype == "IPv6" else 4
    parts = [f"meta protocol {_family(version)}"]
    end = "saddr" if rule.direction == "ingress" else "daddr"
    try:
        if rule.remote_group is not None:
            parts.append(f"{_family(version)} {end} @{_set_name(rule.remote_group, bridge, version)}")
        elif rule.remote_cidr is not None and ip_network(rule.remote_cidr, strict=False).prefixlen > 0:
            parts.append(f"{_family(version)} {end} {ip_network(rule.remote_cidr, strict=False)}")
        if rule.protocol not in ANY_PROTOCOL:
            parts += _protocol(rule, version)
    except ValueError as error:
        raise refused(
            f"Security group rule {rule.id} cannot be applied: {error}. Delete the rule, or correct it."
        ) from error
    return " ".join(parts)


def _protocol(rule: RuleSpec, version: int) -> list[str]:
    number = protocol_number(str(rule.protocol))
    if number in _ICMP.values():
        # Neutron takes `icmp` in a rule for IPv6 to mean ICMPv6.
        return _icmp(rule, version)
    parts = [f"meta l4proto {number}"]
    if number in _WITH_PORTS and (rule.port_min is not None or rule.port_max is not None):
        low = rule.port_min if rule.port_min is not None else 0
        high = rule.port_max if rule.port_max is not None else low
        parts.append(f"th dport {low:d}-{high:d}" if low != high else f"th dport {low:d}")
    return parts


def _icmp(rule: RuleSpec, version: int) -> list[str]:
    name = "icmp" if version == 4 else "icmpv6"
    parts = [f"meta l4proto {_ICMP[version]}"]
    if rule.port_min is not None:
        parts.append(f"{name} type {rule.port_min:d}")
    if rule.port_max is not None:
        parts.append(f"{name} code {rule.port_max:d}")
    return parts


def protocol_number(protocol: str) -> int:
    """The number of a protocol that a rule names. Raises ValueError."""
    number = _PROTOCOLS.get(protocol.lower())
    if number is None:
        number = int(protocol)
        if not 0 <= number <= 255:
            raise ValueError(f"{protocol} is not an IP protocol")
    return number


def _family(version: int) -> str:
    return "ip" if version == 4 else "ip6"


def _set_name(group_id: str, bridge: str, version: int) -> str:
    return f"members{version}_{hashlib.sha256(f'{group_id} {bridge}'.encode()).hexdigest()[:12]}"
