# long: one planner, held against rules by hand and against plain ones
"""Plans of moves: small fleets by hand, and any fleet against plain rules that know nothing of columns."""

from __future__ import annotations

import math
import statistics
from collections import Counter
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kilonova.domain.allocation import Claim
from kilonova.domain.host import Host
from kilonova.domain.server_group import GroupPolicy, GroupRule
from kilonova.rebalance.model import Goal, Move, Plan, PlanLimits, Resident
from kilonova.rebalance.plan import plan_moves
from kilonova.scheduler.fleet import Fleet, Group, fleet_of
from kilonova.scheduler.plugins import profile_of
from kilonova.scheduler.settings import FILTERS, SchedulerSettings
from kilonova.store.queries.hosts import fits
from tests.unit.scheduler.building import NOW, host, request

PROFILE = profile_of(SchedulerSettings(enabled_filters=(*FILTERS, "DifferentHostFilter", "SameHostFilter")))
PLAIN = {"cpu_ratio": 1.0, "ram_ratio": 1.0, "vcpus": 10, "ram_mib": 10240, "disk_gib": 100}
RULES = {
    "apart": GroupRule(policy=GroupPolicy.ANTI_AFFINITY),
    "two-at-most": GroupRule(policy=GroupPolicy.ANTI_AFFINITY, max_per_host=2),
    "together": GroupRule(policy=GroupPolicy.AFFINITY),
    "wished-apart": GroupRule(policy=GroupPolicy.SOFT_ANTI_AFFINITY),
}


def on(name: str, ident: str, vcpus: int = 1, fixed: str = "", **asked: Any) -> Resident:
    """A server on a host: a vCPU with 1 GiB and 10 GiB of disk each."""
    sizes = {"vcpus": vcpus, "ram_mib": 1024 * vcpus, "disk_gib": 10 * vcpus}
    wanted = request(server_id=ident, **(sizes | asked))
    return Resident(server_id=ident, name=ident, host=name, request=wanted, fixed=fixed)


class World:
    """Hosts with residents on them, claimed."""

    def __init__(self, hosts: list[Host], residents: list[Resident]) -> None:
        self.hosts = {one.name: one for one in hosts}
        self.residents = {one.server_id: one for one in residents}
        self.places = {one.server_id: one.host for one in residents}
        for one in residents:
            self.claim(one.host, one, 1)

    def claim(self, name: str, one: Resident, sign: int) -> None:
        at, asked = self.hosts[name], one.request
        self.hosts[name] = msgspec.structs.replace(
            at, vcpus_used=at.vcpus_used + sign * asked.vcpus, ram_mib_used=at.ram_mib_used + sign * asked.ram_mib,
            disk_gib_used=at.disk_gib_used + sign * asked.disk_gib, servers=at.servers + sign,
        )  # fmt: skip

    def group(self, one: Resident) -> str:
        return str(one.request.hints.get("group", ""))

    def others(self, one: Resident) -> Counter[str]:
        """Where the rest of its group is."""
        mates = [each for each in self.residents.values() if self.group(each) == self.group(one) and each is not one]
        return Counter(self.places[each.server_id] for each in mates)

    def fleet(self) -> Fleet:
        every = list(self.hosts.values())
        places = {one.name: at for at, one in enumerate(every)}
        groups = {}
        for name, rule in RULES.items():
            counts = Counter(places[self.places[i]] for i, one in self.residents.items() if self.group(one) == name)
            hosts, held = np.array(list(counts), np.intp), np.array(list(counts.values()), np.int64)
            groups[name] = Group(rule.policy.value, hosts, held, rule.max_per_host)
        return fleet_of(every, NOW, groups)

    def plan(self, goal: Goal, **limits: int) -> Plan:
        given_ = PlanLimits(**limits) if limits else PlanLimits(moves=100)
        return plan_moves(self.fleet(), list(self.residents.values()), PROFILE, goal, given_)

    def measure(self, goal: Goal) -> float:
        """The goal's measure, in plain words."""
        part = [one for one in self.hosts.values() if self.takes_part(one)]
        if goal is Goal.PACK:
            return float(sum(one.servers > 0 for one in part))
        columns = [
            [one.vcpus_used / (one.facts.vcpus * one.cpu_ratio) for one in part],
            [one.ram_mib_used / (one.facts.ram_mib * one.ram_ratio) for one in part],
            [one.disk_gib_used / (one.facts.disk_gib * one.disk_ratio) for one in part],
        ]
        return math.sqrt(statistics.mean(statistics.pvariance(column) for column in columns)) if part else 0.0

    def takes_part(self, one: Host) -> bool:
        return not one.disabled and not one.forced_down

    def check(self, move: Move) -> None:
        """That a move breaks nothing at its turn; then make it."""
        one, target = self.residents[move.server_id], self.hosts[move.target]
        asked = one.request
        assert not one.fixed
        assert asked.forced_host is None
        assert self.places[move.server_id] == move.source != move.target
        assert self.takes_part(target)
        assert self.takes_part(self.hosts[move.source])
        # Both hosts hold the claim while it is copied.
        claim = Claim(server_id="", vcpus=asked.vcpus, ram_mib=asked.ram_mib, disk_gib=asked.disk_gib)
        assert fits(target, claim)
        assert asked.availability_zone in (None, target.zone)
        assert {key.removeprefix("trait:") for key in asked.extra_specs} <= set(target.facts.traits)
        if group := self.group(one):
            assert RULES[group].allows(move.target, dict(self.others(one)))
        if far := asked.hints.get("different_host"):
            assert self.places.get(str(far)) != move.target
        assert (move.server, move.ram_mib) == (one.name, asked.ram_mib)
        self.claim(move.target, one, 1)
        self.claim(move.source, one, -1)
        self.places[move.server_id] = move.target


def moves(plan: Plan) -> list[tuple[str, str, str]]:
    return [(move.server_id, move.source, move.target) for move in plan.moves]


# --- by hand ----------------------------------------------------------------------------------------------------------


def test_spreading_halves_the_load_of_one_host_of_two() -> None:
    world = World([host(1, **PLAIN), host(2, **PLAIN)], [on("host-1", f"s-{i}") for i in range(4)])
    plan = world.plan(Goal.SPREAD)
    assert moves(plan) == [("s-0", "host-1", "host-2"), ("s-1", "host-1", "host-2")]
    # 40% and 0% of each resource: the deviation is 20%; then 30% and 10%: 10%; then none.
    assert (plan.before, plan.moves[0].measure, plan.after) == pytest.approx((0.2, 0.1, 0.0))
    assert [move.gain for move in plan.moves] == pytest.approx([0.1, 0.1])
    assert plan.moves[0].reason == "host-1 is at 40% of its vCPUs and host-2 at 0%; then 30% and 10%"


def test_spreading_takes_the_one_move_that_gains_most() -> None:
    world = World(
        [host(1, **PLAIN), host(2, **PLAIN)], [on("host-1", "big", 4), on("host-1", "small"), on("host-1", "mid", 3)]
    )
    assert moves(world.plan(Goal.SPREAD, moves=1)) == [("big", "host-1", "host-2")]


@pytest.mark.parametrize("count", [2, 200])
def test_a_move_is_worth_the_same_in_a_large_fleet(count: int) -> None:
    world = World([host(i, **PLAIN) for i in range(1, count + 1)], [on("host-1", f"s-{i}") for i in range(4)])
    assert len(world.plan(Goal.SPREAD).moves) == (2 if count == 2 else 3)


def test_packing_empties_the_emptiest_host_into_the_fullest() -> None:
    world = World(
        [host(i, **PLAIN) for i in (1, 2, 3)],
        [on("host-1", "a", 6), on("host-2", "b", 3), on("host-3", "c", 1), on("host-3", "d", 1)],
    )
    plan = world.plan(Goal.PACK)
    assert moves(plan) == [("c", "host-3", "host-1"), ("d", "host-3", "host-1")]
    assert (plan.before, plan.after, [move.gain for move in plan.moves]) == (3.0, 2.0, [0.5, 0.5])
    assert plan.moves[1].reason == "empties host-3 (2 of 2); with all of them host-1 is at 80% of its RAM"


def test_a_host_is_emptied_wholly_or_not_at_all() -> None:
    full = [on("host-1", "a", 9), on("host-2", "b", 1), on("host-2", "c", 1)]
    world = World([host(1, **PLAIN), host(2, **PLAIN)], full)
    assert moves(world.plan(Goal.PACK)) == []
    assert moves(World([host(1, **PLAIN), host(2, **PLAIN)], full[:2]).plan(Goal.PACK)) == [("b", "host-2", "host-1")]
    two = World([host(1, **PLAIN), host(2, **PLAIN)], [on("host-1", "a", 8, fixed="not running"), *full[1:]])
    assert moves(two.plan(Goal.PACK, moves=1)) == []
    assert moves(two.plan(Goal.PACK, moves=9, ram_mib=2047)) == []
    assert len(two.plan(Goal.PACK, moves=2, ram_mib=2048).moves) == 2


@pytest.mark.parametrize(
    ("other", "asked"),
    [
        ({"zone": "east"}, {"availability_zone": "nova"}),
        ({}, {"extra_specs": {"trait:CUSTOM_FAST": "required"}}),
        ({}, {"forced_host": "host-1"}),
        ({}, {"hints": {"group": "together"}}),
        ({"disabled": True}, {}),
        ({"forced_down": True}, {}),
        ({"seen_at": None}, {}),
        ({}, {"fixed": "not running"}),
    ],
)
def test_what_a_filter_forbids_is_not_proposed(other: dict[str, Any], asked: dict[str, Any]) -> None:
    hosts = [host(1, **PLAIN, traits=("CUSTOM_FAST",)), host(2, **(PLAIN | other))]
    assert moves(World(hosts, [on("host-1", f"s-{i}", **asked) for i in range(3)]).plan(Goal.SPREAD)) == []


@pytest.mark.parametrize("hints", [{"group": "apart"}, {"different_host": "s-0"}])
def test_moves_that_were_made_count(hints: dict[str, str]) -> None:
    # Both are on one host against their wish: either may leave it, but the other may not follow.
    hosts = [host(1, **PLAIN), host(2, **PLAIN)]
    there = [on("host-1", "s-0", 2, hints=hints if "group" in hints else {}), on("host-1", "s-1", hints=hints)]
    filler = on("host-1", "filler", 6, fixed="not running")
    assert moves(World(hosts, [*there, filler]).plan(Goal.SPREAD)) == [("s-0", "host-1", "host-2")]


def test_a_server_may_follow_itself_out_of_its_group() -> None:
    hosts = [host(1, **PLAIN), host(2, **PLAIN)]
    alone = on("host-1", "alone", 2, hints={"group": "together"})
    assert moves(World(hosts, [alone, on("host-1", "filler", 5, fixed="not running")]).plan(Goal.SPREAD)) == [
        ("alone", "host-1", "host-2")
    ]


def test_a_plan_says_why_it_ends_and_who_stays() -> None:
    hosts = [host(1, **PLAIN), host(2, **PLAIN), host(3, **PLAIN, disabled=True)]
    there = [on("host-1", f"s-{i}") for i in range(4)] + [
        on("host-1", "off", fixed="not running"), on("host-1", "named", forced_host="host-1"), on("host-3", "away"),
    ]  # fmt: skip
    plan = World(hosts, there).plan(Goal.SPREAD, moves=2)
    assert plan.ended == "as many moves as are allowed"
    assert (plan.hosts, plan.servers, plan.ram_mib) == (2, 7, 2048)
    assert plan.fixed == {"asked for its host by name": 1, "not running": 1, "on a host that is down or disabled": 1}
    assert World(hosts, there).plan(Goal.SPREAD).ended == "no further move within the limits gains anything"


def test_nothing_on_nothing_is_a_plan() -> None:
    for goal in Goal:
        assert moves(World([], []).plan(goal)) == []
        assert moves(World([host(1), host(2)], []).plan(goal)) == []


# --- any fleet --------------------------------------------------------------------------------------------------------

sizes = st.sampled_from([1, 1, 2, 3, 5])
any_host = st.fixed_dictionaries(
    {
        "vcpus": st.sampled_from([8, 10, 16]),
        "ram_mib": st.sampled_from([8192, 16384]),
        "disk_gib": st.just(200),
        "cpu_ratio": st.sampled_from([1.0, 1.5]),
        "ram_ratio": st.just(1.0),
        "zone": st.sampled_from(["nova", "nova", "east"]),
        "traits": st.sampled_from([(), ("CUSTOM_FAST",)]),
        "disabled": st.sampled_from([False] * 5 + [True]),
        "forced_down": st.sampled_from([False] * 5 + [True]),
    }
)
any_server = st.fixed_dictionaries(
    {
        "at": st.sampled_from([0, 0, 0, 1, 2, 3]),
        "vcpus": sizes,
        "ram_mib": sizes.map(lambda gib: gib * 1024),
        "availability_zone": st.sampled_from([None, None, "nova"]),
        "extra_specs": st.sampled_from([{}, {}, {}, {"trait:CUSTOM_FAST": "required"}]),
        "hints": st.sampled_from([{}, {"different_host": "s-0"}, *({"group": name} for name in RULES)]),
        "fixed": st.sampled_from([""] * 9 + ["not running"]),
    }
)


def settled(hosts: list[dict[str, Any]], servers: list[dict[str, Any]]) -> World:
    """Each server on the first host from its own on where there is room; those without any are left out."""
    world = World([host(number, **about) for number, about in enumerate(hosts, start=1)], [])
    names = list(world.hosts)
    for number, about in enumerate(servers):
        asked = dict(about)
        at = asked.pop("at")
        for name in (names[(at + step) % len(names)] for step in range(len(names))):
            one = on(name, f"s-{number}", **asked)
            claim = Claim(server_id="", vcpus=one.request.vcpus, ram_mib=one.request.ram_mib, disk_gib=10)
            if fits(world.hosts[name], claim):
                world.residents[one.server_id], world.places[one.server_id] = one, name
                world.claim(name, one, 1)
                break
    return world


@settings(deadline=None, max_examples=120)
@given(
    st.lists(any_host, min_size=2, max_size=6),
    st.lists(any_server, min_size=3, max_size=16),
    st.sampled_from(list(Goal)),
    st.integers(1, 8),
    st.none() | st.integers(1000, 9000),
)
def test_no_plan_breaks_a_rule_at_any_moment_or_makes_it_worse(
    hosts: list[dict[str, Any]], servers: list[dict[str, Any]], goal: Goal, most: int, ram_mib: int | None
) -> None:
    world = settled(hosts, servers)
    limits = PlanLimits(moves=most, ram_mib=ram_mib)
    there = list(world.residents.values())
    plan, again = (plan_moves(world.fleet(), there, PROFILE, goal, limits) for _ in range(2))
    assert plan == again
    assert limits.allow([move.ram_mib for move in plan.moves])
    assert plan.ram_mib == sum(move.ram_mib for move in plan.moves)
    assert len({move.server_id for move in plan.moves}) == len(plan.moves)
    before = world.measure(goal)
    assert plan.before == pytest.approx(before)
    for move in plan.moves:
        world.check(move)
        assert world.measure(goal) <= before + 1e-9
        before = world.measure(goal)
        assert (move.measure, move.gain > 0) == (pytest.approx(before), True)
    assert plan.after == pytest.approx(before)
    assert sum(move.gain for move in plan.moves) == pytest.approx(plan.before - plan.after)
