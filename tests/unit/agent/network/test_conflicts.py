from __future__ import annotations

from ipaddress import IPv4Network, ip_address, ip_network
from pathlib import Path

import pytest

from kilonova.agent.failure import HostFailure
from kilonova.agent.network.conflicts import (
    check_kinds,
    check_machine,
    check_ports,
    resolvers_in,
    upstream_file,
)
from kilonova.domain.hostnet import HostNetwork
from tests.netparts import network, port


def test_the_machines_routes_and_name_servers_come_first() -> None:
    pair = IPv4Network("198.18.0.2/31")
    check_machine([pair], [ip_network("10.78.0.0/16"), ip_network("fd00::/64")], [ip_address("10.78.0.1")])
    for route in ("198.18.0.0/15", "198.18.0.0/24", "198.18.0.3/32"):
        with pytest.raises(HostFailure, match=rf"198\.18\.0\.2/31.*leads {route} elsewhere") as refusal:
            check_machine([pair], [ip_network(route)], [])
        assert refusal.value.fault.elsewhere
    with pytest.raises(HostFailure, match=r"198\.18\.0\.3, the name server"):
        check_machine([pair], [], [ip_address("198.18.0.3")])


def test_a_vpn_that_takes_half_of_everything_claims_no_uplink() -> None:
    check_machine([IPv4Network("198.18.0.2/31")], [ip_network("128.0.0.0/1")], [])


@pytest.mark.parametrize(
    "changes", [{"kind": "vlan", "segment": 5}, {"kind": "vxlan", "segment": 5, "physical": "e"}, {"physical": "eth1"}]
)
def test_what_this_host_does_not_serve_is_refused(changes: dict[str, object]) -> None:
    with pytest.raises(HostFailure, match="flat and VXLAN networks behind NAT"):
        check_kinds(HostNetwork(networks=(network(1, **changes),)))


def test_a_tunnelled_network_has_an_id() -> None:
    check_kinds(HostNetwork(networks=(network(1, kind="vxlan", segment=5),)))
    for broken in (network(1, kind="vxlan"), network(1, kind="vxlan", segment=1 << 24)):
        with pytest.raises(HostFailure, match="no VXLAN id"):
            check_kinds(HostNetwork(networks=(broken,)))


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
