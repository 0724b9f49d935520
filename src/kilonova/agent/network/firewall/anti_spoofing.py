"""`table bridge`: what a guest may send, and what may be delivered to it (the package's text says why)."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from kilonova.agent.network.firewall import between_hosts
from kilonova.agent.network.firewall.guards import Guard, profile_name
from kilonova.agent.network.firewall.text import block, chain, named_set, quoted, verdict_map

_FLOODED = "ether daddr & 01:00:00:00:00:00 == 01:00:00:00:00:00"
# Before br_netfilter hands the packet to the inet hooks, which is at priority 0.
_SENT = "filter hook prerouting priority -300"
_DELIVERED = "filter hook postrouting priority 0"

_ARP = (
    "arp htype != 1 drop",
    "arp ptype != ip drop",
    "iifname . arp saddr ether . arp saddr ip @sources4 accept",
    # A probe, by which a guest asks whether an address is taken (RFC 5227).
    "arp saddr ip 0.0.0.0 iifname . arp saddr ether @macs accept",
)
_IPV4 = (
    "udp sport 67 udp dport 68 drop",
    "ip saddr 0.0.0.0 ip daddr 255.255.255.255 udp sport 68 udp dport 67 accept",
    "iifname . ether saddr . ip saddr @sources4 accept",
)
_IPV6 = (
    "udp sport 547 udp dport 546 drop",
    "icmpv6 type { nd-router-advert, nd-redirect } drop",
    "icmpv6 type nd-neighbor-advert iifname . @th,64,128 != @neighbor_targets drop",
    # Duplicate address detection and the multicast reports before it have no source yet.
    "ip6 saddr :: icmpv6 type { nd-neighbor-solicit, mld2-listener-report } accept",
    "iifname . ether saddr . ip6 saddr @sources6 accept",
)


def bridge_table(
    name: str, all_guards: Sequence[Guard], down: Sequence[str], profile_lines: Sequence[str]
) -> list[str]:
    """
    The table; `down`: taps of ports that are administratively down; `profile_lines`: the profiles' sets and ingress chains, and
    the tunnels' own.
    """
    lines = [*_sets(all_guards, down), *profile_lines, *_sent(all_guards), *_delivered(all_guards)]
    return block(f"table bridge {name}", lines)


def _sets(all_guards: Sequence[Guard], down: Sequence[str]) -> list[str]:
    taps = [quoted(guard.tap) for guard in all_guards]
    macs = [f"{quoted(guard.tap)} . {mac}" for guard in all_guards for mac in guard.macs]
    targets = [
        f"{quoted(guard.tap)} . 0x{int(address):032x}"
        for guard in all_guards
        for _, address in guard.addresses
        if address.version == 6
    ]
    return [
        *named_set("down", "type ifname;", [quoted(tap) for tap in down]),
        *named_set("taps", "type ifname;", taps),
        *named_set("macs", "type ifname . ether_addr;", macs),
        *named_set(
            "sources4",
            "type ifname . ether_addr . ipv4_addr;",
            _bound(all_guards, 4, lambda tap, mac: f"{tap} . {mac}"),
        ),
        *named_set(
            "sources6",
            "type ifname . ether_addr . ipv6_addr;",
            _bound(all_guards, 6, lambda tap, mac: f"{tap} . {mac}"),
        ),
        *named_set("addresses4", "type ifname . ipv4_addr;", _bound(all_guards, 4, lambda tap, _: tap)),
        *named_set("addresses6", "type ifname . ipv6_addr;", _bound(all_guards, 6, lambda tap, _: tap)),
        *named_set("neighbor_targets", "typeof iifname . @th,64,128;", targets),
        *verdict_map(
            "receivers",
            "type ifname",
            {quoted(guard.tap): f"goto ingress_{profile_name(guard.profile)}" for guard in all_guards},
        ),
    ]


def _bound(all_guards: Sequence[Guard], version: int, key: Callable[[str, str], str]) -> list[str]:
    return [
        f"{key(quoted(guard.tap), mac)} . {address}"
        for guard in all_guards
        for mac, address in guard.addresses
        if address.version == version
    ]


def _sent(all_guards: Sequence[Guard]) -> list[str]:
    return [
        *chain("sent", ["iifname @down drop", *between_hosts.sent_rules(), "iifname @taps goto sent_by_guest"], _SENT),
        *chain(
            "sent_by_guest",
            [
                "iifname . ether saddr != @macs drop",
                "ether type vmap { arp : goto sent_arp, ip : goto sent_ipv4, ip6 : goto sent_ipv6 }",
                "drop",
            ],
        ),
        *chain("sent_arp", [*_ARP, *_ranges(all_guards, 4, "arp saddr ether", "arp saddr ip"), "drop"]),
        *chain("sent_ipv4", [*_IPV4, *_ranges(all_guards, 4, "ether saddr", "ip saddr"), "drop"]),
        *chain("sent_ipv6", [*_IPV6, *_ranges(all_guards, 6, "ether saddr", "ip6 saddr"), "drop"]),
    ]


def _ranges(all_guards: Sequence[Guard], version: int, mac_field: str, address_field: str) -> list[str]:
    return [
        f"iifname {quoted(guard.tap)} {mac_field} {mac} {address_field} {span} accept"
        for guard in all_guards
        for mac, span in guard.ranges
        if span.version == version
    ]


def _delivered(all_guards: Sequence[Guard]) -> list[str]:
    ranges = [
        f"oifname {quoted(guard.tap)} {'ip' if span.version == 4 else 'ip6'} daddr {span} accept"
        for guard in all_guards
        for _, span in guard.ranges
    ]
    return [
        *chain(
            "delivered",
            ["oifname @down drop", *between_hosts.delivered_rules(), "oifname @taps goto delivered_to_guest"],
            _DELIVERED,
        ),
        *chain(
            "delivered_to_guest",
            [
                "ether type arp accept",
                "oifname . ip daddr @addresses4 accept",
                "oifname . ip6 daddr @addresses6 accept",
                # No guest can send these (see above), so they are the host's own: DHCP's answers, gateways, neighbours.
                "udp sport 67 udp dport 68 accept",
                "icmpv6 type { mld-listener-query, nd-router-advert, nd-neighbor-solicit, nd-neighbor-advert } accept",
                f"{_FLOODED} jump flooded",
                f"{_FLOODED} accept",
                *ranges,
                "drop",
            ],
        ),
        *chain("flooded", ["oifname vmap @receivers"]),
    ]
