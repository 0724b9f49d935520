"""One policy over a trace: small courses whose every step can be said beforehand, and rules that hold for any."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kilonova.domain.server_group import GroupPolicy
from kilonova.simulation.compare import compare, measured_flavors
from kilonova.simulation.fleet import HostGroup, hosts_of
from kilonova.simulation.policies import BUILT_IN, COMPARED, parse_policy
from kilonova.simulation.report import PolicyReport, Report
from kilonova.simulation.trace import Arrival

HOSTS = HostGroup(count=3, vcpus=4, ram_mib=4096, disk_gib=100, cpu_ratio=1.0, ram_ratio=1.0)


def come(at_s: float, vcpus: int = 1, lifetime_s: float | None = None, **more: object) -> Arrival:
    defaults = {"server": f"s-{at_s:g}", "ram_mib": 1024 * vcpus, "disk_gib": 10}
    return msgspec.convert({"at_s": at_s, "vcpus": vcpus, "lifetime_s": lifetime_s, **defaults, **more}, Arrival)


def run(arrivals: list[Arrival], policy: str = "first-fit", group: HostGroup = HOSTS, samples: int = 1) -> PolicyReport:
    return compare(hosts_of([group]), arrivals, [parse_policy(policy)], samples=samples).policies[0]


@pytest.mark.parametrize(
    ("policy", "in_use"), [("first-fit", 1), ("best-fit", 1), ("packing", 1), ("spread", 3), ("ours", 3)]
)
def test_three_small_servers_go_together_or_apart(policy: str, in_use: int) -> None:
    assert run([come(1), come(2), come(3)], policy).peak.hosts_in_use == in_use


def test_best_fit_takes_the_fullest_host_that_fits_and_first_fit_the_earliest() -> None:
    # 3, then 2 (which needs a second host): the last 1 fits on the first with 1 left, or anywhere.
    three_two_one = [come(1, 3), come(2, 2), come(3, 1)]
    assert run(three_two_one, "best-fit").samples[-1].density["vcpus"] == 6 / 8
    # After the first has left, 1 goes to host-1 by first fit, to host-2 by best fit.
    left = [come(1, 3, lifetime_s=1.5), come(2, 2), come(3, 1)]
    assert run(left, "first-fit").samples[-1].hosts_in_use == 2
    assert run(left, "best-fit").samples[-1].hosts_in_use == 1


def test_who_leaves_makes_room_at_that_very_moment() -> None:
    one = msgspec.structs.replace(HOSTS, count=1)
    assert run([come(0, 4, lifetime_s=10), come(10, 4)], group=one).failed == 0
    report = run([come(0, 4, lifetime_s=10.5), come(10, 4)], group=one)
    assert (report.placed, report.failed, report.failed_share) == (1, 1, 0.5)


def test_a_failed_placement_is_kept_with_what_its_user_would_read() -> None:
    report = run([come(0, 4), come(1, 4), come(2, 4), come(3, 2, flavor="two"), come(4, 1, zone="east")])
    assert {one.filter: one.failed for one in report.reasons} == {"ResourceFilter": 1, "AvailabilityZoneFilter": 1}
    assert report.failed_by_flavor == {"two": 1, "1c-1024m-10g": 1}
    first = report.first_failures[0]
    assert (first.at_s, first.server, first.flavor) == (3.0, "s-3", "two")
    assert "needs 2 vCPUs, the most free is 0" in first.explanation


@pytest.mark.parametrize(("policy", "placed"), [(GroupPolicy.ANTI_AFFINITY, 3), (GroupPolicy.AFFINITY, 4)])
def test_groups_are_held(policy: GroupPolicy, placed: int) -> None:
    together = [come(at, group="g", policy=policy) for at in range(4)]
    assert run(together, "spread").placed == placed


def test_a_group_forgets_who_has_left() -> None:
    one = msgspec.structs.replace(HOSTS, count=1)
    again = [come(0, lifetime_s=1, group="g"), come(2, group="g"), come(3, group="g")]
    assert run(again, group=one).placed == 2


def test_traits_are_asked_for() -> None:
    report = run([come(0, traits=("CUSTOM_FAST",))])
    assert [one.filter for one in report.reasons] == ["TraitsFilter"]


def test_samples_are_evenly_apart_and_see_all_that_happened_up_to_them() -> None:
    report = run([come(100), come(102, lifetime_s=1), come(104), come(110)], samples=5)
    assert [(one.at_s, one.servers) for one in report.samples] == [(2, 2), (4, 2), (6, 2), (8, 2), (10, 3)]
    assert report.mean.servers == pytest.approx(11 / 5)


def test_the_peak_is_exact_wherever_samples_fall() -> None:
    report = run([come(0, 2, lifetime_s=3), come(1, 4, lifetime_s=1), come(9, 1)])
    assert (report.peak.at_s, report.peak.servers, report.peak.used["vcpus"]) == (1.0, 2, 6 / 12)


def test_flavors_measured_are_the_largest_then_the_most_frequent() -> None:
    many = [come(at, 1, flavor="small") for at in range(3)] + [come(9, 4, flavor="large"), come(10, 2, flavor="middle")]
    assert [(one.name, one.arrivals) for one in measured_flavors(many, hosts_of([HOSTS]))] == [
        ("large", 1), ("small", 3), ("middle", 1),
    ]  # fmt: skip


arrivals = st.lists(
    st.builds(
        Arrival,
        at_s=st.integers(0, 50).map(float),
        vcpus=st.integers(0, 5),
        ram_mib=st.integers(0, 5).map(lambda gib: gib * 1024),
        disk_gib=st.integers(0, 120),
        lifetime_s=st.none() | st.integers(0, 30).map(float),
        group=st.sampled_from(["", "", "a", "b"]),
        policy=st.just(GroupPolicy.ANTI_AFFINITY),
        zone=st.sampled_from([None, None, "nova", "east"]),
    ),
    min_size=1,
    max_size=40,
)


@settings(deadline=None, max_examples=60)
@given(arrivals, st.sampled_from(sorted(BUILT_IN)), st.integers(0, 3))
def test_nothing_is_ever_lost_or_overfull(given_: list[Arrival], policy: str, seed: int) -> None:
    coming = sorted(given_, key=lambda one: one.at_s)
    report = compare(hosts_of([HOSTS]), coming, [BUILT_IN[policy]], seed=seed, samples=7).policies[0]
    assert report.placed + report.failed == len(coming)
    assert report.failed == sum(one.failed for one in report.reasons) == sum(report.failed_by_flavor.values())
    for one in report.samples:
        assert all(
            0 <= share <= 1 for share in (*one.used.values(), *one.density.values(), *one.fragmentation.values())
        )
        assert 0 <= one.hosts_in_use <= min(3, one.servers)
    assert max(report.peak.used.values()) >= max(share for one in report.samples for share in one.used.values())


def test_the_same_seed_gives_the_same_report_but_for_the_times() -> None:
    coming = [come(at, 1 + at % 3, lifetime_s=7.0) for at in range(40)]

    def timeless() -> Report:
        made = compare(hosts_of([HOSTS]), coming, [BUILT_IN[name] for name in COMPARED], seed=4, samples=9)
        policies = [msgspec.to_builtins(one) | {"decisions": None} for one in made.policies]
        return msgspec.to_builtins(made) | {"policies": policies}

    assert timeless() == timeless()
