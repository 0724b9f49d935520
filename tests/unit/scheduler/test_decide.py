"""Decisions, held against the same rules in plain Python, a host at a time."""

from __future__ import annotations

import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kilonova.domain.allocation import Claim
from kilonova.domain.boot import SchedulingRequest
from kilonova.domain.host import Host, is_alive
from kilonova.domain.placement import NearestMiss
from kilonova.scheduler.decide import decide
from kilonova.scheduler.plugins import profile_of
from kilonova.scheduler.ranking import Profile
from kilonova.scheduler.settings import SchedulerSettings
from kilonova.scheduler.weighers.cpu import CPUWeigher
from kilonova.scheduler.weighers.disk import DiskWeigher
from kilonova.scheduler.weighers.ram import RAMWeigher
from kilonova.store.queries import hosts
from tests.unit.scheduler.building import NOW, fleet, host, request

PROFILE = profile_of(SchedulerSettings())

some_hosts = st.lists(
    st.fixed_dictionaries(
        {
            "zone": st.sampled_from(["nova", "az1"]),
            "arch": st.sampled_from(["x86_64", "aarch64"]),
            "disabled": st.booleans(),
            "ram_mib": st.sampled_from([1024, 2048, 4096]),
            "ram_mib_used": st.integers(0, 4096),
            "vcpus_used": st.integers(0, 140),
            "disk_gib_used": st.integers(0, 200),
        }
    ),
    max_size=12,
)
some_request = st.builds(
    request,
    vcpus=st.integers(0, 9), ram_mib=st.integers(0, 4096), disk_gib=st.integers(0, 100),
    availability_zone=st.sampled_from([None, "az1"]),
    image_properties=st.sampled_from([{}, {"hw_architecture": "aarch64"}]),
    excluded_hosts=st.sampled_from([(), ("host-0", "host-1")]),
)  # fmt: skip


def passes(one: Host, wanted: SchedulingRequest) -> bool:
    claim = Claim(server_id="", vcpus=wanted.vcpus, ram_mib=wanted.ram_mib, disk_gib=wanted.disk_gib)
    return (
        hosts.fits(one, claim)
        and is_alive(one.seen_at, NOW, forced_down=one.forced_down)
        and not one.disabled
        and wanted.availability_zone in {None, one.zone}
        and wanted.image_properties.get("hw_architecture", one.facts.arch) == one.facts.arch
        and one.name not in wanted.excluded_hosts
    )


def scores(made: list[Host]) -> dict[str, float]:
    """Each host's score among these."""
    total = dict.fromkeys((one.name for one in made), 0.0)
    for free in (
        {one.name: one.facts.ram_mib - one.ram_mib_used for one in made},
        {one.name: one.facts.vcpus * one.cpu_ratio - one.vcpus_used for one in made},
        {one.name: one.facts.disk_gib - one.disk_gib_used for one in made},
    ):
        low, high = min(free.values()), max(free.values())
        for name, value in free.items():
            total[name] += (value - low) / (high - low) if high > low else 0.0
    return total


@given(given_hosts=some_hosts, wanted=some_request, seed=st.integers(0, 9))
def test_a_decision_is_what_plain_rules_say(
    given_hosts: list[dict[str, Any]], wanted: SchedulingRequest, seed: int
) -> None:
    made = [host(i, **about) for i, about in enumerate(given_hosts)]
    good = [one for one in made if passes(one, wanted)]
    decision = decide(fleet(*made), wanted, PROFILE, random.Random(seed))
    chosen = {candidate.host: candidate.score for candidate in decision.candidates}
    assert len(chosen) == len(decision.candidates) == min(PROFILE.candidates, len(good))
    steps = decision.explanation.steps
    assert len(made) - sum(step.removed for step in steps) == len(good)
    assert [bool(step.reason) for step in steps] == [step.removed > 0 for step in steps]
    if not good:
        assert (decision.explanation.nearest_miss is None) == (not made)
        return
    expected = scores(good)
    assert chosen == pytest.approx({name: expected[name] for name in chosen})
    near = max(expected.values()) - PROFILE.near_best - 1e-9
    for place, score in enumerate(chosen.values()):
        better = [other for name, other in expected.items() if other > score + 1e-9]
        assert score >= near or len(better) <= place


def test_one_seed_gives_one_answer_and_seeds_spread_over_equals() -> None:
    of = fleet(*(host(i) for i in range(50)))
    firsts = [decide(of, request(), PROFILE, random.Random(seed)).candidates[0].host for seed in range(50)]
    assert firsts == [decide(of, request(), PROFILE, random.Random(seed)).candidates[0].host for seed in range(50)]
    assert len(set(firsts)) > 20


def test_the_best_has_its_parts_and_a_multiplier_below_zero_packs() -> None:
    of = fleet(host(1, ram_mib_used=1000), host(2), host(3, ram_mib_used=500))
    spread = decide(of, request(), Profile(filters=(), weighers=((RAMWeigher(), 2.0),)), random.Random(1))
    assert [(one.host, one.parts) for one in spread.candidates] == [
        ("host-2", {"RAMWeigher": 2.0}), ("host-3", {"RAMWeigher": 1.0}), ("host-1", {"RAMWeigher": 0.0}),
    ]  # fmt: skip
    packed = decide(of, request(), Profile(filters=(), weighers=((RAMWeigher(), -1.0),)), random.Random(1))
    assert [one.host for one in packed.candidates] == ["host-1", "host-3", "host-2"]


def test_weighers_measure_what_nova_measures() -> None:
    about = {"vcpus_used": 3, "ram_mib_used": 1000, "disk_gib_used": 20, "ram_mib_reserved": 512}
    of = fleet(host(1, vcpus=2, ram_mib=4096, disk_gib=100, **about))
    measured = {each.name: each.score(of, request()).tolist() for each in (RAMWeigher(), CPUWeigher(), DiskWeigher())}
    assert measured == {"RAMWeigher": [3096.0], "CPUWeigher": [29.0], "DiskWeigher": [80.0]}


def test_a_no_says_who_removed_how_many_and_what_was_nearest() -> None:
    small = {"ram_mib": 1024, "ram_ratio": 1.0}
    of = fleet(host(1, disabled=True, **small), host(2, ram_mib_used=300, **small), host(3, zone="az1"))
    decision = decide(of, request(ram_mib=1000, availability_zone="nova"), PROFILE, random.Random(1))
    assert decision.candidates == ()
    assert decision.explanation.nearest_miss == NearestMiss(host="host-2", lacks="276 MiB RAM")
    assert decision.explanation.sentence() == (
        "No valid host was found. 3 hosts asked; AvailabilityZoneFilter removed 1 of 3: not in zone nova but in az1; "
        "ResourceFilter removed 1 of 2: needs 1000 MiB RAM, the most free is 724; ComputeFilter removed 1 of 1: 1 disabled. "
        "The host that came closest lacks 276 MiB RAM."
    )


def test_the_nearest_miss_may_lack_more_than_one_thing() -> None:
    of = fleet(host(1, disabled=True, arch="aarch64"))
    wanted = request(image_properties={"hw_architecture": "x86_64"})
    miss = decide(of, wanted, PROFILE, random.Random(1)).explanation.nearest_miss
    lacks = "a compute service that is enabled, and hw_architecture x86_64 (it has aarch64)"
    assert miss == NearestMiss(host="host-1", lacks=lacks)


def test_a_fleet_without_hosts_is_a_no() -> None:
    decision = decide(fleet(), request(availability_zone="az1"), PROFILE, random.Random(1))
    assert (decision.candidates, decision.explanation.hosts, decision.explanation.nearest_miss) == ((), 0, None)
