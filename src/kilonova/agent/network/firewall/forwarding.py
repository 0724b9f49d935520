"""`table inet`: the security groups with their flows, what guests reach of the host, and NAT (the package's text says why)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from kilonova.agent.network.conflicts import Address
from kilonova.agent.network.firewall import between_hosts, outbound
from kilonova.agent.network.firewall.guards import Guard, profile_name, profiles_by_address, profiles_by_range
from kilonova.agent.network.firewall.text import block, chain, named_set, quoted, verdict_map

METADATA_ADDRESS = "169.254.169.254"
_LISTENERS = "mld-listener-query, mld-listener-report, mld2-listener-report"
_FROM_GUESTS = f"icmpv6 type {{ {_LISTENERS}, nd-router-solicit, nd-neighbor-solicit, nd-neighbor-advert }} accept"
_FROM_HOST = f"icmpv6 type {{ {_LISTENERS}, nd-router-advert, nd-neighbor-solicit, nd-neighbor-advert }} accept"


@dataclass(frozen=True)
class Segment:
    """
    A device behind which guests are, as this table knows it.

    `gateways`: where they find the host's services; `masqueraded`: the IPv4 ranges that reach the outside from it. A bridge with
    a `zone` has its gateway behind one of its own ports, and flows that are told apart from other bridges' by that number.
    """

    device: str
    gateways: tuple[Address, ...] = ()
    masqueraded: tuple[str, ...] = ()
    zone: int | None = None


def inet_table(
    name: str,
    segments: Sequence[Segment],
    all_guards: Sequence[Guard],
    profile_lines: Sequence[str],
    other_lines: Sequence[str],
) -> list[str]:
    """
    The table; `profile_lines`: the profiles' sets and chains of both directions; `other_lines`: the tunnels' sets, and what is
    outbound.
    """
    lines = [
        *_sets(segments),
        *other_lines,
        *_judges(all_guards),
        *profile_lines,
        *_zones(segments),
        *chain("services", _services()),
        *_forward(),
        *_host(),
        *_nat(segments),
    ]
    return block(f"table inet {name}", lines)


def _sets(segments: Sequence[Segment]) -> list[str]:
    names = [quoted(segment.device) for segment in segments]
    gateways = [
        (address.version, f"{quoted(segment.device)} . {address}")
        for segment in segments
        for address in segment.gateways
    ]
    return [
        *named_set("bridges", "type ifname;", names),
        *named_set("switches", "type ifname;", [quoted(s.device) for s in segments if s.zone is not None]),
        *named_set("same_bridge", "type ifname . ifname;", [f"{name} . {name}" for name in names]),
        *named_set("outside", "type ifname;", [quoted(s.device) for s in segments if s.masqueraded]),
        *named_set("gateways4", "type ifname . ipv4_addr;", [key for version, key in gateways if version == 4]),
        *named_set("gateways6", "type ifname . ipv6_addr;", [key for version, key in gateways if version == 6]),
    ]


def _zones(segments: Sequence[Segment]) -> list[str]:
    """Flows of bridges that may have the same addresses, told apart; before fragments are put together, which heeds it too."""
    zones = ", ".join(f"{quoted(one.device)} : {one.zone}" for one in segments if one.zone is not None)
    rules = [f"ct zone set iifname map {{ {zones} }}"] if zones else []
    return chain("zones", rules, "filter hook prerouting priority -450")


def _judges(all_guards: Sequence[Guard]) -> list[str]:
    """Per direction: the maps from (bridge, address) to the profile's chain, and the chain that looks it up."""
    by_address, by_range = profiles_by_address(all_guards), profiles_by_range(all_guards)
    lines: list[str] = []
    for direction, device, end in (("egress", "iifname", "saddr"), ("ingress", "oifname", "daddr")):
        for version in (4, 6):
            verdicts = {
                f"{quoted(bridge)} . {address}": f"goto {direction}_{profile_name(profile)}"
                for (bridge, address), profile in by_address.items()
                if address.version == version
            }
            lines += verdict_map(f"{direction}{version}", f"type ifname . ipv{version}_addr", verdicts)
        pairs = [
            f"{device} {quoted(bridge)} {'ip' if span.version == 4 else 'ip6'} {end} {span} "
            f"goto {direction}_{profile_name(profile)}"
            for (bridge, span), profile in by_range.items()
        ]
        lookups = [f"{device} . ip {end} vmap @{direction}4", f"{device} . ip6 {end} vmap @{direction}6"]
        lines += chain(f"{direction}_rules", [*lookups, *pairs])
    return lines


def _services() -> list[str]:
    """What every guest reaches of its host, whatever its groups say."""
    rules = [
        "udp sport 68 udp dport 67 ip daddr 255.255.255.255 accept",
        "udp sport 68 udp dport 67 iifname . ip daddr @gateways4 accept",
        "ip6 daddr ff02::1:2 udp sport 546 udp dport 547 accept",
        _FROM_GUESTS,
    ]
    for family, gateways in (("ip", "@gateways4"), ("ip6", "@gateways6")):
        own = f"iifname . {family} daddr {gateways}"
        echo = "icmp type echo-request" if family == "ip" else "icmpv6 type echo-request"
        rules += [f"{own} meta l4proto {{ tcp, udp }} th dport 53 accept", f"{own} {echo} accept"]
    return rules


def _forward() -> list[str]:
    return [
        *chain(
            "switched",
            [
                "jump services",
                f"ip daddr {METADATA_ADDRESS} tcp dport 80 accept",
                # No guest can send these (see the bridge table), so they are the gateway's own.
                "iifname . ip saddr @gateways4 udp sport 67 udp dport 68 accept",
                "udp sport 547 udp dport 546 accept",
                _FROM_HOST,
            ],
        ),
        *chain(
            "forward",
            [
                "iifname != @bridges oifname != @bridges accept",
                "iifname @bridges oifname @bridges iifname . oifname != @same_bridge drop",
                "iifname @bridges oifname != @bridges iifname != @outside drop",
                between_hosts.from_guests(),
                "ct state established,related accept",
                f"iifname @bridges oifname @bridges {_FROM_GUESTS}",
                "iifname @switches jump switched",
                "iifname @bridges jump egress_rules",
                "oifname @bridges jump ingress_rules",
            ],
            "filter hook forward priority 0",
        ),
    ]


def _host() -> list[str]:
    from_guests = [
        between_hosts.from_peers(),
        "iifname != @bridges accept",
        "iifname @switches drop",
        outbound.to_the_machine(),
        "ct state established,related accept",
        "jump services",
        f"ct original ip daddr {METADATA_ADDRESS} ct status dnat accept",
    ]
    to_guests = [
        "oifname != @bridges accept",
        "ct state established,related accept",
        "udp sport 67 udp dport 68 accept",
        "udp sport 547 udp dport 546 accept",
        _FROM_HOST,
        "jump ingress_rules",
    ]
    return [
        *chain("input", [*from_guests, "drop"], "filter hook input priority 0"),
        *chain("output", to_guests, "filter hook output priority 0"),
    ]


def _nat(segments: Sequence[Segment]) -> list[str]:
    ranges = ", ".join(span for segment in segments for span in segment.masqueraded)
    rules = [f"ip saddr {{ {ranges} }} oifname != @bridges masquerade"] if ranges else []
    return chain("to_outside", rules, "nat hook postrouting priority 100")


def to_metadata(listeners: Mapping[str, int]) -> list[str]:
    """The chain that redirects what guests ask of the metadata address; `listeners`: bridge -> port."""
    ports = ", ".join(f"{quoted(bridge)} : {port}" for bridge, port in sorted(listeners.items()))
    rule = f"ip daddr {METADATA_ADDRESS} tcp dport 80 redirect to : iifname map {{ {ports} }}"
    return chain("to_metadata", [rule], "nat hook prerouting priority -100")
