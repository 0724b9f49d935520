from __future__ import annotations

import random

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kilonova.agent.host_network_state import changed, held, members, merged, only_of, tidied, updated, without_server
from kilonova.domain.hostnet import OUTLINE, GroupSpec, HostNetwork, PortSpec, RuleSpec, ShareChange
from kilonova.domain.reach import GuestReach
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
    full = GroupSpec(id="ssh", rules=DEFAULT.rules, members_on={"n1": ("10.0.0.1",)})
    empty = GroupSpec(id="ssh")
    known = share(port(5, "ssh"), groups=(full,))
    assert merged(known, HostNetwork(groups=(empty,))).groups == (empty,)


def test_an_older_word_of_a_network_changes_nothing() -> None:
    old, new = (tunnelled(1, *at, generation=len(at)) for at in (("192.0.2.1",), ("192.0.2.1", "192.0.2.2")))
    known = HostNetwork(networks=(new,))
    assert merged(known, HostNetwork(networks=(old,))) == known
    assert updated(HostNetwork(networks=(old,)), known) == known


def test_a_group_goes_with_its_last_port_and_is_asked_for_when_it_is_left_out_later() -> None:
    state = without_server(share(port(5, "ssh"), port(5, "ssh", net=2)), "server1-5")
    assert "ssh" in held(state).generations
    empty = without_server(state, "server2-5")
    assert held(empty).generations == {}
    assert held(merged(empty, share(port(6, "ssh"), groups=()))).generations["ssh"] == OUTLINE


def test_of_a_whole_state_a_host_takes_what_its_own_machines_have() -> None:
    state = share(port(5, "ssh"), port(6, "default", net=2))
    here = only_of(state, {"server1-5"})
    assert [one.server_id for one in here.ports] == ["server1-5"]
    assert [one.id for one in here.networks] == ["n1"]
    assert [one.id for one in here.groups] == ["ssh"]


def test_members_are_those_told_and_those_here() -> None:
    told = GroupSpec(id="default", rules=DEFAULT.rules, members_on={"n1": ("10.77.1.5", "10.77.1.200")})
    state = share(port(5, "default"), port(6, "default"), groups=(told,))
    assert members(state)["default", "n1"] == ("10.77.1.200", "10.77.1.5", "10.77.1.6")
    gone = without_server(state, "server1-6")
    assert members(gone)["default", "n1"] == ("10.77.1.200", "10.77.1.5")
    # Told, and maybe with its address on another host by now: it is taken away when that is told, too.
    assert members(without_server(state, "server1-5"))["default", "n1"] == ("10.77.1.200", "10.77.1.5", "10.77.1.6")


def test_a_member_on_one_network_is_nobody_on_another() -> None:
    told = GroupSpec(id="default", rules=DEFAULT.rules, members_on={"n2": ("10.77.1.5",)})
    state = share(port(5, "ssh"), port(6, "default"), groups=(told,))
    assert members(state)["default", "n1"] == ("10.77.1.6",)
    assert members(without_server(state, "server1-5"))["default", "n2"] == ("10.77.1.5",)


# --- changes, a generation at a time -----------------------------------------------------------------------------------


def of_group(generation: int, *addresses: str, rules: tuple[RuleSpec, ...] = DEFAULT.rules) -> GroupSpec:
    members_on = {"n1": tuple(sorted(addresses))} if addresses else {}
    return GroupSpec(id="default", rules=rules, members_on=members_on, generation=generation)


def known(group: GroupSpec) -> HostNetwork:
    return share(port(5, "default"), groups=(group,))


def test_a_step_brings_and_takes_members_and_rules() -> None:
    after = changed(
        known(of_group(3, "10.0.0.1", "10.0.0.2")),
        ShareChange(id="default", generation=4, rules=(), come={"n1": ("10.0.0.9",)}, gone={"n1": ("10.0.0.2",)}),
    )
    assert after is not None
    assert after.groups == (of_group(4, "10.0.0.1", "10.0.0.9", rules=()),)
    assert held(after).generations["default"] == 4


def test_the_last_member_leaves_no_empty_network() -> None:
    after = changed(known(of_group(3, "10.0.0.1")), ShareChange(id="default", generation=4, gone={"n1": ("10.0.0.1",)}))
    assert after is not None
    assert after.groups[0].members_on == {}


@pytest.mark.parametrize("generation", [1, 3])
def test_a_step_that_was_made_is_not_made_again(generation: int) -> None:
    state = known(of_group(3, "10.0.0.1"))
    assert changed(state, ShareChange(id="default", generation=generation, gone={"n1": ("10.0.0.1",)})) is state


def test_a_missing_step_is_noticed() -> None:
    assert changed(known(of_group(3)), ShareChange(id="default", generation=5)) is None
    assert changed(share(port(5, "default"), groups=()), ShareChange(id="default", generation=1)) is None


def test_a_step_of_what_is_not_here_is_nothing() -> None:
    state = known(of_group(3))
    assert changed(state, ShareChange(id="other", generation=9, come={"n1": ("10.0.0.1",)})) is state


def test_a_network_steps_from_host_to_host_and_may_come_whole() -> None:
    state = share(port(5, "default"), networks=(tunnelled(1, "192.0.2.1", generation=2),))
    on = state.networks[0].id
    step = ShareChange(id=on, generation=3, come={on: ("192.0.2.2",)}, gone={on: ("192.0.2.1",)})
    after = changed(state, step)
    assert after is not None
    assert after.networks == (tunnelled(1, "192.0.2.2", generation=3),)
    whole = tunnelled(1, "192.0.2.7", generation=9)
    jumped = changed(after, ShareChange(id=on, generation=9, network=whole))
    assert jumped is not None
    assert jumped.networks == (whole,)


def test_an_outline_takes_nothing_from_who_knows_better_and_is_enough_to_begin_with() -> None:
    whole, outline = tunnelled(1, "192.0.2.1", generation=0), tunnelled(1, generation=OUTLINE)
    state = share(port(5, "default"), networks=(whole,))
    part = share(port(6, "default"), networks=(outline,))
    assert merged(state, part).networks == (whole,)
    assert held(merged(HostNetwork(), part)).generations[whole.id] == OUTLINE
    assert updated(part, HostNetwork(networks=(whole,))).networks == (whole,)


def test_a_rule_that_names_another_group_has_it_asked_for() -> None:
    naming = (RuleSpec(id="r", direction="ingress", ethertype="IPv4", remote_group="others"),)
    after = changed(known(of_group(3)), ShareChange(id="default", generation=4, rules=naming))
    assert after is not None
    assert held(after).generations["others"] == OUTLINE


@given(st.randoms(use_true_random=False), st.integers(1, 40))
def test_whatever_is_lost_doubled_or_late_the_host_ends_with_the_truth(rng: random.Random, steps: int) -> None:
    """The records step on; each step is told some time or never; a gap, and the end, have the whole asked for."""
    truth, state = of_group(0), known(of_group(0))
    under_way: list[ShareChange | GroupSpec] = []
    for number in range(1, steps + 1):
        before = set(truth.members_on.get("n1", ()))
        flipped = {f"10.0.0.{rng.randrange(1, 9)}" for _ in range(rng.randrange(1, 4))}
        come, gone = tuple(flipped - before), tuple(flipped & before)
        truth = of_group(number, *((before | flipped) - set(gone)))
        step = ShareChange(id="default", generation=number, come={"n1": come}, gone={"n1": gone})
        under_way += [step] * rng.choice([0, 1, 1, 1, 2])
        rng.shuffle(under_way)
        for _ in range(rng.randrange(3)):
            state = heard(state, under_way, truth)
    while under_way:
        state = heard(state, under_way, truth)
    if held(state).generations["default"] < truth.generation:
        state = updated(state, HostNetwork(groups=(truth,)))
    assert state.groups == (truth,)


def heard(state: HostNetwork, under_way: list[ShareChange | GroupSpec], truth: GroupSpec) -> HostNetwork:
    if not under_way:
        return state
    said = under_way.pop()
    if isinstance(said, GroupSpec):
        return updated(state, HostNetwork(groups=(said,)))
    after = changed(state, said)
    if after is None:
        under_way.insert(0, truth)  # the answer is on its way, and may be old when it comes
        return state
    return after


def test_what_guests_may_reach_stays_until_it_is_told_anew() -> None:
    told = GuestReach(closed=("203.0.113.5/32",))
    state = merged(share(port(5, "default")), HostNetwork(reach=told))
    for after in (
        merged(state, share(port(6, "ssh"))),
        updated(state, HostNetwork()),
        changed(state, ShareChange(id="default", generation=1, rules=())),
        without_server(state, "server1-5"),
        only_of(state, []),
        tidied(state),
    ):
        assert after is not None
        assert after.reach == told
        assert held(after).reach == told.digest
    assert updated(state, HostNetwork(reach=GuestReach())).reach == GuestReach()
    assert held(HostNetwork()).reach == ""
