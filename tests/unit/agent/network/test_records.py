from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kilonova.agent.network.records import RecordFile, Records, members, merged, tidied, updated, without_server
from kilonova.domain.hostnet import GroupSpec, HostNetwork, PortSpec
from tests.netparts import DEFAULT, port, share, tunnelled

PORTS = st.builds(port, st.integers(2, 30), st.sampled_from(["default", "ssh"]), net=st.integers(1, 3))
SHARES = st.lists(PORTS, max_size=6, unique_by=lambda one: one.id).map(lambda ports: share(*ports))


@given(SHARES, SHARES)
def test_merging_twice_is_merging_once(old: HostNetwork, part: HostNetwork) -> None:
    once = merged(old, part)
    assert merged(once, part) == once


@given(SHARES, SHARES)
def test_merging_keeps_what_the_part_does_not_speak_of(old: HostNetwork, part: HostNetwork) -> None:
    result = merged(old, part)
    assert {one.id for one in result.ports} == {one.id for one in (*old.ports, *part.ports)}
    assert {one.id for one in result.networks} == {one.id for one in (*old.networks, *part.networks)}


@given(SHARES, SHARES)
def test_a_change_brings_nothing_that_was_not_there(old: HostNetwork, part: HostNetwork) -> None:
    result = updated(old, part)
    assert {one.id for one in result.ports} == {one.id for one in old.ports}
    assert {one.id for one in result.networks} == {one.id for one in old.networks}
    newer = {one.id: one for one in part.ports}
    assert all(one == newer.get(one.id, one) for one in result.ports)


@given(SHARES, PORTS)
def test_a_server_leaves_nothing_behind(old: HostNetwork, last: PortSpec) -> None:
    gone = without_server(merged(old, share(last)), last.server_id)
    assert last.server_id not in {one.server_id for one in gone.ports}
    assert {one.id for one in gone.networks} == {one.network_id for one in gone.ports}


def test_a_network_that_never_had_a_port_stays_when_a_server_goes() -> None:
    state = share(port(5, net=1), port(5, net=2))
    empty = msgspec.structs.replace(state, ports=state.ports[:1])
    assert [one.id for one in without_server(empty, "server1-5").networks] == ["n2"]


def test_groups_that_nobody_needs_are_dropped() -> None:
    state = tidied(share(port(5, "ssh")))
    assert [group.id for group in state.groups] == ["ssh"]
    assert [group.id for group in tidied(share(port(5, "default"))).groups] == ["default"]


def test_a_group_can_lose_its_last_rule_and_its_last_member() -> None:
    full = GroupSpec(id="g", rules=DEFAULT.rules, members_on={"n1": ("10.0.0.1",)})
    empty = GroupSpec(id="g")
    assert merged(HostNetwork(groups=(full,)), HostNetwork(groups=(empty,))).groups == (empty,)


def test_an_older_word_of_a_network_changes_nothing() -> None:
    old, new = (tunnelled(1, *at, generation=len(at)) for at in (("192.0.2.1",), ("192.0.2.1", "192.0.2.2")))
    known = HostNetwork(networks=(new,))
    assert merged(known, HostNetwork(networks=(old,))) == known
    assert updated(HostNetwork(networks=(old,)), known) == known


def test_a_part_may_leave_out_a_group_that_the_last_servers_end_left_without_ports() -> None:
    state = without_server(share(port(5, "ssh"), port(5, "ssh", net=2)), "server1-5")
    empty = without_server(state, "server2-5")
    assert "ssh" in {group.id for group in merged(empty, share(port(6, "ssh"), groups=())).groups}


def test_members_are_those_told_and_those_here_and_not_those_gone() -> None:
    told = GroupSpec(id="default", rules=DEFAULT.rules, members_on={"n1": ("10.77.1.5", "10.77.1.200")})
    state = share(port(5, "default"), port(6, "default"), groups=(told,))
    assert members(state)["default", "n1"] == ("10.77.1.200", "10.77.1.5", "10.77.1.6")
    assert members(without_server(state, "server1-5"))["default", "n1"] == ("10.77.1.200", "10.77.1.6")


def test_a_member_on_one_network_is_nobody_on_another() -> None:
    told = GroupSpec(id="default", rules=DEFAULT.rules, members_on={"n2": ("10.77.1.5",)})
    state = share(port(5, "ssh"), port(6, "default"), groups=(told,))
    assert members(state)["default", "n1"] == ("10.77.1.6",)
    assert members(without_server(state, "server1-5"))["default", "n2"] == ("10.77.1.5",)


def test_records_are_read_as_written(tmp_path: Path) -> None:
    file = RecordFile(tmp_path / "network" / "state.json")
    assert file.read() == Records()
    kept = Records(share=tidied(share(port(5, "default"))), sysctls={"net/ipv4/ip_forward": "0"})
    file.write(kept)
    assert file.read() == kept
    file.delete()
    assert list((tmp_path / "network").iterdir()) == []


def test_a_file_that_is_not_ours_is_said_to_be_so(tmp_path: Path) -> None:
    (tmp_path / "state.json").write_text('{"share": 5}')
    with pytest.raises(msgspec.DecodeError):
        RecordFile(tmp_path / "state.json").read()
