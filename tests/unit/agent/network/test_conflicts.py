from __future__ import annotations

import itertools
from ipaddress import IPv4Network, ip_address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kilonova.agent.hypervisor.failure import HostFailure
from kilonova.agent.network.conflicts import check_kinds, check_machine, check_overlaps, check_ports, resolvers_in
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
    "changes", [{"kind": "vlan", "segment": 5}, {"kind": "vxlan", "segment": 5}, {"physical": "eth1"}]
)
def test_what_this_host_does_not_serve_is_refused(changes: dict[str, object]) -> None:
    with pytest.raises(HostFailure, match="flat networks behind NAT"):
        check_kinds(HostNetwork(networks=(network(1, **changes),)))


def test_a_port_on_an_unknown_network_is_refused() -> None:
    with pytest.raises(HostFailure, match="Port p1-5 is on network n1"):
        check_ports(HostNetwork(ports=(port(5),)))


def test_name_servers_are_read_as_the_machine_reads_them() -> None:
    text = "# nameserver 1.1.1.1\nnameserver 10.0.0.1\nnameserver fe80::1%eth0\nnameserver nonsense\nsearch example\nnameserver\n"
    assert resolvers_in(text) == [ip_address("10.0.0.1"), ip_address("fe80::1")]
