from __future__ import annotations

import itertools
import re
from ipaddress import IPv4Network, ip_address, ip_network
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kilonova.agent.hypervisor.failure import HostFailure
from kilonova.agent.network.conflicts import (
    ZONES,
    check_kinds,
    check_machine,
    check_overlaps,
    check_ports,
    resolvers_in,
    uplink_pair,
    upstream_file,
    zone_of,
)
from kilonova.domain.hostnet import HostNetwork, NetworkSpec, SubnetSpec
from tests.netparts import network, port, share

RANGES = st.builds(
    lambda number, bits: IPv4Network((number >> (32 - bits) << (32 - bits), bits)),
    st.integers(0, 2**32 - 1),
    st.integers(1, 6),
)


def net(number: int, *cidrs: str) -> NetworkSpec:
    subnets = tuple(SubnetSpec(id=c, cidr=c, ip_version=ip_network(c).version, gateway=None, dhcp=True) for c in cidrs)
    return network(number, subnets=subnets)


@given(st.lists(RANGES, max_size=5))
def test_an_overlap_is_found_wherever_there_is_one(ranges: list[IPv4Network]) -> None:
    state = HostNetwork(networks=tuple(net(number, str(span)) for number, span in enumerate(ranges)))
    if any(one.overlaps(other) for one, other in itertools.combinations(ranges, 2)):
        with pytest.raises(HostFailure):
            check_overlaps(state)
    else:
        check_overlaps(state)


def test_an_overlap_names_both_networks_and_what_to_do() -> None:
    state = HostNetwork(networks=(net(1, "10.0.0.0/16"), net(2, "fd00::/64", "10.0.5.0/24")))
    with pytest.raises(
        HostFailure, match=r"net2 \(n2\) \(10\.0\.5\.0/24\) overlaps network net1 \(n1\) .*another range"
    ) as refusal:
        check_overlaps(state)
    assert refusal.value.fault.elsewhere


def test_two_subnets_of_one_network_may_be_neighbours() -> None:
    check_overlaps(HostNetwork(networks=(net(1, "10.0.0.0/24", "10.0.1.0/24", "fd00::/64"),)))


def test_the_machines_routes_and_name_servers_come_first() -> None:
    state = share(port(5))
    check_machine(state, [ip_network("10.78.0.0/16"), ip_network("fd00::/64")], [ip_address("10.78.0.1")])
    with pytest.raises(HostFailure, match=r"10\.77\.0\.0/16.*ip route"):
        check_machine(state, [ip_network("10.77.0.0/16")], [])
    with pytest.raises(HostFailure, match=r"contains 10\.77\.1\.53, the name server"):
        check_machine(state, [], [ip_address("10.77.1.53")])


@pytest.mark.parametrize(
    "changes", [{"kind": "vlan", "segment": 5}, {"kind": "vxlan", "segment": 5, "physical": "e"}, {"physical": "eth1"}]
)
def test_what_this_host_does_not_serve_is_refused(changes: dict[str, object]) -> None:
    with pytest.raises(HostFailure, match="flat and VXLAN networks behind NAT"):
        check_kinds(HostNetwork(networks=(network(1, **changes),)))


def test_a_tunnelled_network_has_an_id_of_its_own() -> None:
    one, same = network(1, kind="vxlan", segment=5), network(2, kind="vxlan", segment=5 + ZONES)
    check_kinds(HostNetwork(networks=(one, network(2, kind="vxlan", segment=6))))
    for broken in (network(1, kind="vxlan"), network(1, kind="vxlan", segment=1 << 24)):
        with pytest.raises(HostFailure, match="no VXLAN id"):
            check_kinds(HostNetwork(networks=(broken,)))
    with pytest.raises(HostFailure, match=r"65540 of network net2 \(n2\) and 5 of net1 \(n1\)"):
        check_kinds(HostNetwork(networks=(one, same)))


def test_tunnelled_networks_may_overlap_and_their_uplinks_may_not() -> None:
    subnets = network(1).subnets
    one, other = (network(n, kind="vxlan", segment=n, subnets=subnets) for n in (1, 2))
    check_overlaps(HostNetwork(networks=(one, other)))
    check_machine(HostNetwork(networks=(one,)), [ip_network("10.77.0.0/16")], [])
    with pytest.raises(HostFailure, match=re.escape(str(uplink_pair(1)))):
        check_machine(HostNetwork(networks=(one,)), [ip_network("198.18.0.0/24")], [])


@given(st.integers(1, (1 << 24) - 1))
def test_every_segment_has_a_zone_and_a_pair_of_addresses(segment: int) -> None:
    assert 1 <= zone_of(segment) <= 65535
    assert uplink_pair(segment).subnet_of(IPv4Network("198.18.0.0/15"))


def test_a_port_on_an_unknown_network_is_refused() -> None:
    with pytest.raises(HostFailure, match="Port p1-5 is on network n1"):
        check_ports(HostNetwork(ports=(port(5),)))


def test_a_router_asks_beyond_the_machines_own_name_server() -> None:
    beyond = Path("/run/beyond")
    assert upstream_file("nameserver 127.0.0.53\n", beyond) == beyond
    assert upstream_file("nameserver 127.0.0.1\nnameserver 192.0.2.53\n", beyond) is None
    assert upstream_file("", beyond) is None


def test_name_servers_are_read_as_the_machine_reads_them() -> None:
    text = "# nameserver 1.1.1.1\nnameserver 10.0.0.1\nnameserver fe80::1%eth0\nnameserver nonsense\nsearch example\nnameserver\n"
    assert resolvers_in(text) == [ip_address("10.0.0.1"), ip_address("fe80::1")]
