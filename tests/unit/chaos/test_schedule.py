"""A storm's schedule follows from its seed alone, and is one that can be survived."""

from __future__ import annotations

from collections import Counter, defaultdict
from itertools import pairwise

import pytest

from kilonova.faults import VARIABLE, Faults
from tests.chaos.storm.schedule import KINDS, LOST_HOST, Strike, schedule

TARGETS = {
    "api": ["api-1", "api-2"],
    "conductor": ["conductor-1", "conductor-2"],
    "scheduler": ["scheduler-1"],
    "agent": ["agent-1", "agent-2", "agent-3"],
    "host": ["agent-1", "agent-2", "agent-3"],
    "rabbitmq": ["rabbitmq"],
    "postgresql": ["postgresql"],
}


def plan(seed: int = 1, count: int = 200) -> list[Strike]:
    return schedule(seed, count, 2.5, TARGETS)


def test_a_seed_is_a_schedule() -> None:
    assert plan() == plan()
    assert plan() != plan(seed=2)


def test_a_shorter_storm_is_the_beginning_of_a_longer_one() -> None:
    assert plan(count=200)[:100] == plan(count=100)


def test_it_has_as_many_strikes_as_were_asked_for_in_order() -> None:
    times = [strike.at_s for strike in plan()]
    assert len(times) == 200
    assert times == sorted(times)


def test_even_a_short_storm_has_every_kind() -> None:
    assert {strike.kind for strike in plan(count=sum(kind.weight for kind in KINDS))} == {kind.name for kind in KINDS}


def test_a_long_storm_has_hosts_away_until_they_count_as_down() -> None:
    assert Counter(strike.kind for strike in plan(count=200))[LOST_HOST.name] == 4


@pytest.mark.parametrize("seed", range(5))
def test_what_is_struck_comes_back_before_it_is_struck_again(seed: int) -> None:
    by_target = defaultdict(list)
    for strike in plan(seed):
        by_target[strike.target].append(strike)
    for strikes in by_target.values():
        for one, following in pairwise(strikes):
            assert one.at_s + one.for_s < following.at_s


def test_nothing_strikes_what_is_not_there() -> None:
    without = {what: names for what, names in TARGETS.items() if what not in ("postgresql", "host")}
    kinds = {strike.kind for strike in schedule(1, 40, 2.5, without)}
    assert kinds.isdisjoint({"postgresql", "cut_off"})


def test_every_fuse_is_one_that_a_process_knows() -> None:
    fuses = {strike.fuse for strike in plan() if strike.fuse}
    assert len(fuses) > 10
    for fuse in fuses:
        Faults({VARIABLE: fuse})
