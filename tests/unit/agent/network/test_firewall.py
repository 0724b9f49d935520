from __future__ import annotations

import re
from collections.abc import Sequence
from ipaddress import IPv6Address
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kilonova.agent.failure import HostFailure
from kilonova.agent.network.beyond import Beyond, plan_beyond
from kilonova.agent.network.firewall.guards import Profile, guards, link_local, profiles_by_address
from kilonova.agent.network.firewall.rules import expression
from kilonova.agent.network.firewall.ruleset import plan_gateway_rules, plan_metadata, plan_ruleset
from kilonova.agent.network.gateways import plan_gateway
from kilonova.agent.network.slots import plan_slots
from kilonova.agent.network.tunnels import Tunnel, plan_tunnel
from kilonova.domain.addresses import ip_address, ip_network
from kilonova.domain.hostnet import HostNetwork, RuleSpec, SubnetSpec, bridge_name
from kilonova.domain.reach import GuestReach
from tests.netparts import DEFAULT, WITH_SSH, network, port, share, tunnelled

# An operator's network with a broker that guests may reach, and one of containers beside the machine.
BEYOND = plan_beyond(
    GuestReach(
        closed=("203.0.113.5/32", "203.0.113.4/32", "2001:db8::5/128"), opened=("203.0.113.5:5672", "[2001:db8::5]:443")
    ),
    beside=[ip_network("172.17.0.0/16")],
    resolvers=[ip_address("203.0.113.53"), ip_address("127.0.0.53")],
)
GOLDEN = Path(__file__).parent / "golden" / "firewall.nft"


def both_versions() -> HostNetwork:
    six = SubnetSpec(id="s6", cidr="fd00:77::/64", ip_version=6, gateway="fd00:77::1", dhcp=True)
    one = network(1)
    ports = (
        port(5, "default", addresses=("10.77.1.5", "fd00:77::5")),
        port(6, "default", "ssh", allowed_pairs=(("10.77.1.100", ""), ("192.0.2.0/24", "02:00:00:00:00:AA"))),
        port(7, port_security=False),
        port(8, admin_up=False),
    )
    return HostNetwork(
        networks=(msgspec.structs.replace(one, subnets=(*one.subnets, six)),), ports=ports, groups=(DEFAULT, WITH_SSH)
    )


def ruleset(state: HostNetwork, table: str = "t", tunnels: Sequence[Tunnel] = (), beyond: Beyond = BEYOND) -> str:
    """The text of a host that has just this."""
    slots = plan_slots(state.networks, {})
    gateways = {one.bridge: plan_gateway(one, "tag", slots[one.bridge]) for one in state.networks}
    return plan_ruleset(state, table, gateways, tunnels, beyond)


def test_the_whole_text() -> None:
    state = both_versions()
    text = ruleset(state, "kilonova") + plan_gateway_rules(state.networks[0], "kilonova")
    text += plan_metadata({bridge_name("n1"): 18775}, "kilonova")
    assert text == GOLDEN.read_text()


def test_the_order_of_things_told_does_not_matter() -> None:
    state = both_versions()
    turned = HostNetwork(networks=state.networks, ports=state.ports[::-1], groups=state.groups[::-1])
    assert sorted(ruleset(turned).splitlines()) == sorted(ruleset(state).splitlines())


def test_an_empty_host_still_has_its_tables() -> None:
    assert "chain forward" in ruleset(HostNetwork())
    assert plan_metadata({}, "kilonova") == ""


def test_ports_of_the_same_groups_share_their_chains() -> None:
    few, many = (ruleset(share(*(port(n, "default") for n in range(2, last)))) for last in (4, 200))
    assert few.count("chain ") == many.count("chain ")


def test_an_address_of_several_ports_has_the_groups_of_all() -> None:
    pair = (("10.77.1.100/32", ""),)
    found = profiles_by_address(
        guards(share(port(5, "default", allowed_pairs=pair), port(6, "ssh", allowed_pairs=pair)))
    )
    shared = {profile for (_, address), profile in found.items() if str(address) == "10.77.1.100"}
    assert shared == {Profile(bridge_name("n1"), ("default", "ssh"))}


def test_a_link_local_address_is_made_of_the_mac() -> None:
    assert link_local("52:54:00:12:34:56") == IPv6Address("fe80::5054:ff:fe12:3456")


def rule(**changes: object) -> RuleSpec:
    return msgspec.structs.replace(RuleSpec(id="r", direction="ingress", ethertype="IPv4"), **changes)


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({}, "meta protocol ip"),
        ({"ethertype": "IPv6"}, "meta protocol ip6"),
        ({"protocol": "any"}, "meta protocol ip"),
        ({"remote_cidr": "0.0.0.0/0"}, "meta protocol ip"),
        ({"remote_cidr": "10.0.0.9/8"}, "meta protocol ip ip saddr 10.0.0.0/8"),
        ({"direction": "egress", "remote_cidr": "10.0.0.0/8"}, "meta protocol ip ip daddr 10.0.0.0/8"),
        ({"protocol": "tcp", "port_min": 80, "port_max": 90}, "meta protocol ip meta l4proto 6 th dport 80-90"),
        ({"protocol": "17", "port_min": 53, "port_max": 53}, "meta protocol ip meta l4proto 17 th dport 53"),
        ({"protocol": "icmp"}, "meta protocol ip meta l4proto 1"),
        ({"protocol": "icmp", "port_min": 8, "port_max": 0}, "meta protocol ip meta l4proto 1 icmp type 8 icmp code 0"),
        (
            {"ethertype": "IPv6", "protocol": "icmp", "port_min": 128},
            "meta protocol ip6 meta l4proto 58 icmpv6 type 128",
        ),
        ({"protocol": "vrrp"}, "meta protocol ip meta l4proto 112"),
        ({"remote_group": "g"}, "meta protocol ip ip saddr @members4_6658a6477121"),
    ],
)
def test_a_rule_in_nfts_words(changes: dict[str, object], text: str) -> None:
    assert expression(rule(**changes), "knb0") == text


@given(st.text(max_size=20), st.text(max_size=20))
def test_no_text_of_a_rule_reaches_nft_as_it_is(protocol: str, cidr: str) -> None:
    try:
        text = expression(rule(protocol=protocol, remote_cidr=cidr), "knb0")
    except HostFailure:
        return
    assert re.fullmatch(r"meta protocol ip( ip saddr [0-9a-f:./]+)?( meta l4proto \d+)?", text)


@pytest.mark.parametrize(
    "changes",
    [
        {"mac": "02:00:00:00:00:0g"},
        {"addresses": ("10.77.1.5; flush ruleset",)},
        {"allowed_pairs": (("10.77.1.0/24", "nonsense"),)},
        {"allowed_pairs": (("anywhere", ""),)},
    ],
)
def test_a_port_that_makes_no_sense_is_refused(changes: dict[str, object]) -> None:
    with pytest.raises(HostFailure, match="Port p1-5 cannot be guarded"):
        ruleset(share(port(5, **changes)))


def two_of_one_range() -> HostNetwork:
    """Two tunnelled networks of one range, a guest of the same address in each, and one guest without port security."""
    ports = (
        port(5, "default"),
        port(5, "default", net=2, addresses=("10.77.1.5",)),
        port(7, net=2, port_security=False),
    )
    nets = tuple(tunnelled(n, "192.0.2.1", "192.0.2.2", range_of=1, generation=3) for n in (1, 2))
    return HostNetwork(networks=nets, ports=ports, groups=(DEFAULT,))


def test_the_whole_text_of_tunnelled_networks() -> None:
    state = two_of_one_range()
    tunnels = [tunnel for network in state.networks if (tunnel := plan_tunnel(network, "192.0.2.1"))]
    text = ruleset(state, "kilonova", tunnels) + plan_gateway_rules(state.networks[0], "kilonova")
    assert text == GOLDEN.with_name("tunnels.nft").read_text()


def test_equal_addresses_on_two_bridges_share_neither_flows_nor_members() -> None:
    text = ruleset(two_of_one_range())
    bridges = [bridge_name(f"n{number}") for number in (1, 2)]
    (zones,) = re.findall(r"ct zone set iifname map \{ (.*) \}", text)
    assert zones == ", ".join(f'"{bridge}" : {number + 101}' for number, bridge in enumerate(bridges, 1))
    verdicts = dict(re.findall(r'"(knb[0-9a-f]+)" \. 10\.77\.1\.5 : goto (ingress_[0-9a-f]+)', text))
    assert set(verdicts) == set(bridges)
    assert len(set(verdicts.values())) == 2
