"""Ports as the firewall knows them: parsed and checked, with every address they may use; nft is given nothing rawer."""

from __future__ import annotations

import hashlib
import re
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import IPv6Address
from typing import NamedTuple

from kilonova.agent.network.conflicts import Address, Range, refused
from kilonova.domain.addresses import ip_address, ip_network
from kilonova.domain.hostnet import HostNetwork, PortSpec, bridge_name

_MAC = re.compile(r"[0-9a-f]{2}(:[0-9a-f]{2}){5}")


class Profile(NamedTuple):
    """What rules depend on: the bridge, since a group's members are others on another, and ids of security groups, in order."""

    bridge: str
    groups: tuple[str, ...]


@dataclass(frozen=True)
class Guard:
    """A port: where it is, and what it may send from. `ranges` are its allowed address pairs wider than one address."""

    tap: str
    bridge: str
    profile: Profile
    addresses: tuple[tuple[str, Address], ...]  # (MAC, address)
    ranges: tuple[tuple[str, Range], ...]  # (MAC, range)
    macs: tuple[str, ...]


def guards(share: HostNetwork) -> list[Guard]:
    """The ports that are guarded: all but those without port security. Raises HostFailure when one makes no sense."""
    return [_guard(port) for port in share.ports if port.port_security]


def profile_name(profile: Profile) -> str:
    """A profile's name in the names of its chains."""
    return hashlib.sha256(" ".join((profile.bridge, *profile.groups)).encode()).hexdigest()[:12]


def profiles_by_address(all_guards: Iterable[Guard]) -> dict[tuple[str, Address], Profile]:
    """The groups that hold for each (bridge, address)."""
    found: dict[tuple[str, Address], set[str]] = defaultdict(set)
    for guard in all_guards:
        for _, address in guard.addresses:
            found[guard.bridge, address].update(guard.profile.groups)
    return {key: Profile(key[0], tuple(sorted(groups))) for key, groups in found.items()}


def profiles_by_range(all_guards: Iterable[Guard]) -> dict[tuple[str, Range], Profile]:
    """The groups that hold for each (bridge, range), the narrowest ranges first."""
    found: dict[tuple[str, Range], set[str]] = defaultdict(set)
    for guard in all_guards:
        for _, span in guard.ranges:
            found[guard.bridge, span].update(guard.profile.groups)
    narrowest_first = sorted(found, key=lambda key: (-key[1].prefixlen, key[0], str(key[1])))
    return {key: Profile(key[0], tuple(sorted(found[key]))) for key in narrowest_first}


def link_local(mac: str) -> IPv6Address:
    """The IPv6 link-local address that goes with a MAC (RFC 4291, EUI-64)."""
    octets = bytes.fromhex(mac.replace(":", ""))
    interface_id = bytes([octets[0] ^ 2]) + octets[1:3] + b"\xff\xfe" + octets[3:]
    return IPv6Address(b"\xfe\x80" + bytes(6) + interface_id)


def _guard(port: PortSpec) -> Guard:
    try:
        own = _mac(port.mac)
        macs = dict.fromkeys([own, *(_mac(mac or own) for _, mac in port.allowed_pairs)])
        addresses = [(own, ip_address(address)) for address in port.addresses]
        addresses += [(mac, link_local(mac)) for mac in macs]
        ranges: list[tuple[str, Range]] = []
        for cidr, mac in port.allowed_pairs:
            span = ip_network(cidr, strict=False)
            if span.prefixlen == span.max_prefixlen:
                addresses.append((_mac(mac or own), span.network_address))
            else:
                ranges.append((_mac(mac or own), span))
    except ValueError as error:
        raise refused(f"Port {port.id} cannot be guarded: {error}. Correct its addresses and try again.") from error
    return Guard(
        tap=port.tap,
        bridge=bridge_name(port.network_id),
        profile=Profile(bridge_name(port.network_id), tuple(sorted(set(port.groups)))),
        addresses=tuple(dict.fromkeys(addresses)),
        ranges=tuple(dict.fromkeys(ranges)),
        macs=tuple(macs),
    )


def _mac(text: str) -> str:
    mac = text.lower()
    if not _MAC.fullmatch(mac):
        raise ValueError(f"{text!r} is not a MAC address")
    return mac
