from __future__ import annotations

from ipaddress import IPv4Network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kilonova.agent.failure import HostFailure
from kilonova.agent.network.slots import LAST, plan_slots, uplink_pair
from kilonova.domain.hostnet import NetworkSpec, bridge_name
from tests.netparts import network

FLAT = st.builds(network, st.integers(1, 99))
VXLAN = st.builds(
    lambda number, segment: network(number, kind="vxlan", segment=segment),
    st.integers(100, 199),
    st.integers(1, (1 << 24) - 1),
)
NETWORKS = st.lists(FLAT | VXLAN, max_size=20, unique_by=lambda one: one.bridge)


@given(NETWORKS, NETWORKS)
def test_every_network_has_a_number_of_its_own_and_keeps_it(first: list[NetworkSpec], then: list[NetworkSpec]) -> None:
    before = plan_slots(first, {})
    after = plan_slots(then, before)
    assert set(after) == {one.bridge for one in then}
    assert len(set(after.values())) == len(after)
    assert all(
        1 <= slot <= LAST and uplink_pair(slot).subnet_of(IPv4Network("198.18.0.0/15")) for slot in after.values()
    )
    assert all(after[bridge] == before[bridge] for bridge in set(before) & set(after))


def test_a_vxlan_network_keeps_what_hosts_used_to_compute_of_its_id() -> None:
    assert plan_slots([network(1, kind="vxlan", segment=101)], {}) == {bridge_name("n1"): 102}


def test_two_ids_that_come_to_one_number_get_two() -> None:
    """They used to be refused."""
    slots = plan_slots([network(n, kind="vxlan", segment=5 + n * LAST) for n in (1, 2)], {})
    assert len(set(slots.values())) == 2


def test_a_host_that_has_no_number_left_says_so() -> None:
    held = {f"knb{slot:012x}": slot for slot in range(1, LAST + 1)}
    many = [network(slot) for slot in range(1, 3)]
    full = {one.bridge: slot for one, slot in zip(many, (1, 2), strict=True)}
    assert plan_slots(many, {**held, **full}) == full
    with pytest.raises(HostFailure, match="can tell no more apart"):
        plan_slots([*map(network, range(LAST + 1))], {})
