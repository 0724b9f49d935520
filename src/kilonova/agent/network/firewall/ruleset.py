"""The whole firewall of a host as one text for `nft -f -`, and its execution."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping, Sequence

from kilonova.agent import host_network_state as states
from kilonova.agent.network.beyond import Beyond
from kilonova.agent.network.conflicts import Address, refused
from kilonova.agent.network.devices import plan_bridge
from kilonova.agent.network.firewall.anti_spoofing import bridge_table
from kilonova.agent.network.firewall.between_hosts import Passage, bridge_lines, inet_sets
from kilonova.agent.network.firewall.forwarding import Segment, inet_table, to_metadata
from kilonova.agent.network.firewall.guards import guards, profiles_by_address, profiles_by_range
from kilonova.agent.network.firewall.outbound import outbound_lines
from kilonova.agent.network.firewall.rules import group_sets, profile_chain
from kilonova.agent.network.firewall.text import block
from kilonova.agent.network.gateways import Gateway
from kilonova.agent.network.names import tunnel_name
from kilonova.agent.network.tunnels import Tunnel
from kilonova.domain.addresses import ip_network
from kilonova.domain.hostnet import HostNetwork, NetworkSpec, bridge_name

_FAMILIES = ("bridge", "inet")
_NFT_LIMIT_S = 60


def plan_ruleset(
    share: HostNetwork, table: str, gateways: Mapping[str, Gateway], tunnels: Sequence[Tunnel], beyond: Beyond
) -> str:
    """
    The text that replaces our tables by what `share` asks for, all at once or not at all; `gateways` (by bridge) and `tunnels`
    are those of its networks here; `beyond` is what their guests may reach by them.

    Raises HostFailure for a port or rule that cannot be expressed.
    """
    all_guards = guards(share)
    groups = {group.id: group for group in share.groups}
    profiles = {guard.profile for guard in all_guards}
    profiles |= {*profiles_by_address(all_guards).values(), *profiles_by_range(all_guards).values()}
    members = {(group_id, bridge_name(on)): who for (group_id, on), who in states.members(share).items()}
    sets = group_sets(profiles, groups, members)
    ingress = [
        line for profile in sorted(profiles) for line in profile_chain("ingress", profile, groups, stateful=True)
    ]
    egress = [line for profile in sorted(profiles) for line in profile_chain("egress", profile, groups, stateful=True)]
    flooded = [
        line for profile in sorted(profiles) for line in profile_chain("ingress", profile, groups, stateful=False)
    ]
    segments = [Segment(one.bridge, _gateways(one), zone=gateways[one.bridge].zone) for one in share.networks]
    segments += [Segment(gateway.uplink, masqueraded=(str(gateway.span),)) for gateway in gateways.values()]
    passages = _passages(share, tunnels)
    others = [*inet_sets(passages), *outbound_lines([gateway.uplink for gateway in gateways.values()], beyond)]
    down = [port.tap for port in states.ports_down(share)]
    return "\n".join(
        [
            removal(table),
            *bridge_table(table, all_guards, down, [*sets, *flooded, *bridge_lines(passages)]),
            *inet_table(table, segments, all_guards, [*sets, *egress, *ingress], others),
            "",
        ]
    )


def plan_gateway_rules(network: NetworkSpec, table: str) -> str:
    """The text that replaces our table in the namespace of a network's gateway: who its guests are was judged on the bridge."""
    ranges = tuple(str(ip_network(subnet.cidr)) for subnet in network.subnets if subnet.ip_version == 4)
    segment = Segment(network.bridge, _gateways(network), ranges if network.nat else ())
    lines = inet_table(table, [segment], (), (), [*inet_sets(()), *outbound_lines((), Beyond(closed=()))])
    return "\n".join([f"table inet {table} {{}}\ndelete table inet {table}", *lines, ""])


def plan_metadata(listeners: Mapping[str, int], table: str) -> str:
    """What to add to the text to lead guests to the metadata service; `listeners`: bridge -> port."""
    return "\n".join([*block(f"table inet {table}", to_metadata(listeners)), ""]) if listeners else ""


def removal(table: str) -> str:
    """The text that removes our tables. Declaring each first makes its deletion succeed where there is none."""
    return "\n".join(f"table {family} {table} {{}}\ndelete table {family} {table}" for family in _FAMILIES)


def apply(text: str, *, dry_run: bool = False) -> None:
    """Hand `text` to the kernel as one transaction; `dry_run` only has it checked. Raises HostFailure with nft's words."""
    command = ["nft", *(["--check"] if dry_run else []), "--file", "-"]
    done = subprocess.run(command, input=text, capture_output=True, text=True, timeout=_NFT_LIMIT_S, check=False)
    if done.returncode != 0:
        first = next((line for line in done.stderr.splitlines() if "rror" in line), done.stderr.strip())
        raise refused(
            f"nftables refused the firewall of this host: {first}. `kilonova doctor` tells what the host lacks."
        )


def _gateways(network: NetworkSpec) -> tuple[Address, ...]:
    return tuple(address.ip for address in plan_bridge(network).addresses)


def _passages(share: HostNetwork, tunnels: Sequence[Tunnel]) -> list[Passage]:
    """Every network's, with or without a tunnel now: its unguarded ports could pose as the gateway either way."""
    by_bridge = {tunnel.bridge: tunnel for tunnel in tunnels}
    return [
        Passage(
            device=tunnel_name(network.bridge),
            vni=network.segment,
            peers=by_bridge[network.bridge].peers if network.bridge in by_bridge else (),
            gateway=plan_bridge(network),
            has_dhcp=any(subnet.dhcp for subnet in network.subnets),
            unguarded=tuple(p.tap for p in share.ports if p.network_id == network.id and not p.port_security),
        )
        for network in share.networks
    ]
