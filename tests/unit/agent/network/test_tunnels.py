from __future__ import annotations

from ipaddress import ip_interface

from hypothesis import given
from hypothesis import strategies as st

from kilonova.agent.network.devices import plan_bridge, plan_switch
from kilonova.agent.network.gateways import plan_gateway
from kilonova.agent.network.names import bridge_of, gateway_port_name, tunnel_name, uplink_name
from kilonova.agent.network.tunnels import plan_tunnel, tunnel_address
from tests.netparts import network, tunnelled


def test_a_tunnel_leads_to_every_other_host() -> None:
    plan = plan_tunnel(tunnelled(1, "192.0.2.3", "192.0.2.1", "192.0.2.2", "192.0.2.3", generation=7), "192.0.2.1")
    assert plan is not None
    assert (plan.peers, plan.vni, plan.local, plan.generation) == (("192.0.2.2", "192.0.2.3"), 101, "192.0.2.1", 7)


def test_a_network_on_one_host_needs_no_tunnel() -> None:
    assert plan_tunnel(tunnelled(1, "192.0.2.1"), "192.0.2.1") is None
    assert plan_tunnel(tunnelled(1), "") is None
    assert plan_tunnel(network(1, tunnels=("192.0.2.2",)), "192.0.2.1") is None


def test_the_gateway_is_behind_the_bridge_and_the_same_on_every_host() -> None:
    one = tunnelled(1)
    here, there = plan_gateway(one, "host1", 7), plan_gateway(one, "host2", 7)
    assert (here.inner, here.near, here.far) == (there.inner, there.near, there.far)
    assert here.namespace != there.namespace
    assert here.inner == plan_bridge(one)
    assert here.inner.addresses == (ip_interface("10.77.1.1/24"),)
    switch = plan_switch(one)
    assert (switch.name, switch.addresses) == (here.inner.name, ())
    assert switch.mac != here.inner.mac


def test_two_networks_of_one_range_have_different_uplinks() -> None:
    one, other = plan_gateway(tunnelled(1), "t", 1), plan_gateway(tunnelled(2, range_of=1), "t", 2)
    assert one.inner.addresses == other.inner.addresses
    assert not one.span.overlaps(other.span)


@given(st.text("0123456789abcdef", min_size=12, max_size=12))
def test_devices_are_named_after_their_bridge(digits: str) -> None:
    names = [name(f"knb{digits}") for name in (tunnel_name, gateway_port_name, uplink_name)]
    assert len(set(names)) == 3
    assert all(len(name) == 15 and bridge_of(name) == f"knb{digits}" for name in names)


def test_a_configured_tunnel_address_is_taken_at_its_word() -> None:
    assert tunnel_address("192.0.2.9") == "192.0.2.9"
