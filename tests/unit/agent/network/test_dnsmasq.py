from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from kilonova.agent.network.devices import plan_bridge, service_address
from kilonova.agent.network.dnsmasq import DhcpPlan, Folder, addresses_in, plan_dhcp
from kilonova.domain.hostnet import NetworkSpec, PortSpec, SubnetSpec
from tests.netparts import network, port

FOLDER = Folder(Path("/run/kilonova/x/knb676b8bb84ce7"))
SIX = SubnetSpec(
    id="s6", cidr="fd00:77::/64", ip_version=6, gateway="fd00:77::1", dhcp=True, dns=("2001:db8::53", "9.9.9.9")
)


def plan(net: NetworkSpec, *ports: PortSpec) -> DhcpPlan:
    planned = plan_dhcp(net, ports, FOLDER, "nobody")
    assert planned is not None
    return planned


def with_subnets(*subnets: SubnetSpec) -> NetworkSpec:
    return network(1, subnets=subnets)


def test_the_whole_configuration() -> None:
    subnet = msgspec.structs.replace(network(1).subnets[0], dns=("9.9.9.9",), routes=(("192.0.2.0/24", "10.77.1.9"),))
    text = plan(with_subnets(subnet, SIX)).config
    assert text == (Path(__file__).parent / "golden" / "dnsmasq.conf").read_text()


def test_a_router_is_told_whom_to_ask() -> None:
    planned = plan_dhcp(network(1), (), FOLDER, "nobody", Path("/run/beyond"))
    assert planned is not None
    assert "resolv-file=/run/beyond" in planned.config.splitlines()


def test_each_port_has_its_address_and_name() -> None:
    planned = plan(
        with_subnets(network(1).subnets[0], SIX),
        port(5, addresses=("10.77.1.5", "fd00:77::5")),
        port(6, mac="02:00:00:00:01:AB"),
    )
    assert planned.hosts == "02:00:00:00:01:05,10.77.1.5,[fd00:77::5],guest5\n02:00:00:00:01:ab,10.77.1.6,guest6\n"
    assert planned.names == "10.77.1.5 guest5\nfd00:77::5 guest5\n10.77.1.6 guest6\n"


@pytest.mark.parametrize("name", ["a,b", "a b", "", "-a", "a\nb", "ü", "a" * 64])
def test_a_name_that_would_mean_something_to_dnsmasq_is_left_out(name: str) -> None:
    planned = plan(network(1), port(5, hostname=name))
    assert planned.hosts == "02:00:00:00:01:05,10.77.1.5\n"
    assert planned.names == ""


def test_a_name_is_its_first_label() -> None:
    assert plan(network(1), port(5, hostname="web.example.org")).hosts.endswith(",web\n")


def test_an_address_outside_the_served_subnets_is_not_handed_out() -> None:
    assert plan(network(1), port(5, addresses=("10.99.0.1",))).hosts == ""


def test_a_network_without_dhcp_has_no_server() -> None:
    silent = msgspec.structs.replace(network(1).subnets[0], dhcp=False)
    assert plan_dhcp(with_subnets(silent), [], FOLDER, "nobody") is None


def test_a_port_is_told_its_own_options() -> None:
    options = (("tftp-server", "10.0.0.9", 4), ("23", "fd00::9", 6), ("x\ny", "1", 4), ("67", "a\nuser=root", 4))
    planned = plan(network(1), port(5, dhcp_options=options))
    assert planned.hosts == f"02:00:00:00:01:05,set:{port(5).tap},10.77.1.5,guest5\n"
    assert planned.options == f"tag:{port(5).tap},option:tftp-server,10.0.0.9\ntag:{port(5).tap},option6:23,fd00::9\n"


def test_a_subnet_without_a_gateway_is_served_from_the_link() -> None:
    lonely = with_subnets(msgspec.structs.replace(network(1).subnets[0], gateway=None))
    lines = plan(lonely).config.splitlines()
    own = service_address("n1")
    routes = f"{own}/32,0.0.0.0,169.254.169.254/32,{own}"
    assert "shared-network=knb676b8bb84ce7,10.77.1.0" in lines
    assert "dhcp-option=tag:subnet0,option:router" in lines
    assert f"dhcp-option=tag:subnet0,option:classless-static-route,{routes}" in lines
    assert [str(address) for address in plan_bridge(lonely).addresses] == [f"{own}/32"]


def test_service_addresses_keep_off_those_with_a_meaning() -> None:
    found = {service_address(str(number)) for number in range(5000)}
    assert len(found) > 4500
    assert not [address for address in found if address.packed[2] in {0, 169, 255} or address.packed[:2] != b"\xa9\xfe"]


def test_the_addresses_of_a_line() -> None:
    assert addresses_in("02:00:00:00:01:05,10.77.1.5,[fd00:77::5],10-0-0-1") == {"10.77.1.5", "fd00:77::5"}
    assert addresses_in("02:00:00:00:01:05,10.77.1.5") == {"10.77.1.5"}


def test_a_bridge_is_the_same_on_every_host() -> None:
    bridge = plan_bridge(with_subnets(network(1).subnets[0], SIX))
    assert (bridge.name, bridge.mac, bridge.mtu) == ("knb676b8bb84ce7", "02:6b:6e:67:6b:8b", 1450)
    assert [str(address) for address in bridge.addresses] == ["10.77.1.1/24", "fd00:77::1/64"]
