"""What was chosen counts until its claim is heard of, refuses nobody, and is no part of what is known."""

from __future__ import annotations

import random
from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kilonova.domain.host import HostUse
from kilonova.scheduler.fleet import GENERATION, RAM, SERVERS
from kilonova.scheduler.live import LiveFleet
from kilonova.scheduler.plugins import profile_of
from kilonova.scheduler.settings import SchedulerSettings
from tests.unit.scheduler.building import fleet, host, request

PROFILE = profile_of(SchedulerSettings())
SMALL = request()


def live_of(hosts: int, **about: int) -> LiveFleet:
    return LiveFleet(fleet(*(host(number, **about) for number in range(1, hosts + 1))), PROFILE)


def chosen(live: LiveFleet, count: int, seed: int = 1) -> Counter[str]:
    rng = random.Random(seed)
    return Counter(live.choose(SMALL, rng).candidates[0].host_id for _ in range(count))


def claimed(host_id: str, servers: int, generation: int) -> HostUse:
    return HostUse(
        host_id=host_id, generation=generation, servers=servers, vcpus_used=servers, ram_mib_used=512 * servers,
        disk_gib_used=servers,
    )  # fmt: skip


@pytest.mark.parametrize("seed", range(20))
def test_servers_asked_for_together_spread_before_any_claim_is_heard_of(seed: int) -> None:
    assert sorted(chosen(live_of(3), 7, seed).values()) == [2, 2, 3]


def test_asking_what_would_be_chooses_nothing() -> None:
    live = live_of(1)
    live.decide(SMALL, random.Random(1))
    assert live.fleet.use[SERVERS].tolist() == [0]


def test_a_claim_that_is_heard_of_is_counted_once() -> None:
    live = live_of(1)
    chosen(live, 3)
    seen = [live.fleet.use[:, 0].tolist()]
    for number in (1, 2, 3, 4):
        live.apply(claimed("id-1", number, number + 1))
        seen.append(live.fleet.use[:, 0].tolist())
    assert [use[SERVERS] for use in seen] == [3, 3, 3, 3, 4]
    assert [use[RAM] for use in seen] == [512 * servers for servers in (3, 3, 3, 3, 4)]
    assert [use[GENERATION] for use in seen] == [1, 2, 3, 4, 5]


def test_a_server_that_leaves_takes_nothing_of_what_is_expected() -> None:
    live = live_of(1, servers=2, vcpus_used=2, ram_mib_used=1024, disk_gib_used=2)
    chosen(live, 1)
    live.apply(claimed("id-1", 1, 2))
    assert live.fleet.use[SERVERS].tolist() == [2]


def test_nobody_is_refused_for_what_is_only_expected() -> None:
    live = live_of(2, ram_mib=512, ram_ratio=1.0)
    assert chosen(live, 2) == {"id-1": 1, "id-2": 1}
    assert live.choose(SMALL, random.Random(1)).candidates
    live.apply(claimed("id-1", 1, 2))
    live.apply(claimed("id-2", 1, 2))
    assert not live.choose(SMALL, random.Random(1)).candidates


def test_another_picture_expects_nothing_and_what_was_known_is_kept() -> None:
    live = live_of(2)
    chosen(live, 4)
    live.apply(claimed("id-1", 1, 7))
    live.replace(fleet(host(1), host(2)))
    assert live.fleet.use[SERVERS].tolist() == [1, 0]
    assert live.fleet.use[GENERATION].tolist() == [7, 1]


def test_a_copy_has_what_is_expected_and_its_own_future() -> None:
    live = live_of(1)
    chosen(live, 2)
    copy = live.copied()
    chosen(copy, 1)
    assert (copy.fleet.use[SERVERS, 0], live.fleet.use[SERVERS, 0]) == (3, 2)


def test_a_large_fleet_is_shown_its_choices_together() -> None:
    live = live_of(76)
    shown = []
    for seed in range(4):
        chosen(live, 1, seed)
        shown.append(int(live.fleet.use[SERVERS].sum()))
    assert shown == [0, 0, 0, 4]


_steps = st.lists(
    st.one_of(
        st.just("choose"),
        st.tuples(st.sampled_from(["id-1", "id-2", "id-3"]), st.integers(0, 4), st.integers(1, 9)).map(
            lambda about: claimed(*about)
        ),
    ),
    max_size=30,
)


@given(_steps)
def test_whatever_is_chosen_nothing_known_is_lost_and_nothing_kept_goes_stale(steps: list[str | HostUse]) -> None:
    """Against a picture that heard the same and was never asked; and its rankings against ones made anew."""
    live, told, rng = live_of(3), live_of(3), random.Random(1)
    for step in steps:
        if isinstance(step, HostUse):
            live.apply(step)
            told.apply(step)
        else:
            live.choose(SMALL, rng)
            kept, anew = live.decide(SMALL, random.Random(1)), live.copied().decide(SMALL, random.Random(1))
            assert kept == anew
    assert (live.fleet.use >= told.fleet.use).all()
    live.replace(live_of(3).fleet)
    assert np.array_equal(live.fleet.use, told.fleet.use)
