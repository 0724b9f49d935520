"""Several servers of one request, asked about together."""

from __future__ import annotations

import random
from collections import Counter

import numpy as np

from kilonova.domain.placement import Decision
from kilonova.scheduler.fleet import Fleet, Group
from kilonova.scheduler.live import LiveFleet
from kilonova.scheduler.plugins import profile_of
from kilonova.scheduler.settings import SchedulerSettings
from kilonova.scheduler.what_if import one_after_another
from tests.unit.scheduler.building import fleet, host, request

RNG = random.Random(5)


def ask(of: Fleet, count: int, **given: object) -> tuple[LiveFleet, tuple[Decision, ...]]:
    live = LiveFleet(of, profile_of(SchedulerSettings()))
    wanted = request(**given)
    return live, one_after_another(live, wanted, live.decide(wanted, RNG), count, RNG)


def chosen(decisions: tuple[Decision, ...]) -> list[str]:
    return [decision.candidates[0].host for decision in decisions if decision.candidates]


def test_each_is_decided_on_what_those_before_it_take() -> None:
    of = fleet(host(1, ram_mib=1024, ram_ratio=1.0), host(2, ram_mib=2048, ram_ratio=1.0))
    live, decisions = ask(of, 5, ram_mib=1024)
    assert Counter(chosen(decisions)) == {"host-1": 1, "host-2": 2}
    assert [bool(decision.candidates) for decision in decisions] == [True, True, True, False]
    assert "the most free is 0" in decisions[-1].explanation.sentence()
    assert live.fleet.use[:4].sum() == 0


def test_one_is_what_the_scheduler_says() -> None:
    live, decisions = ask(fleet(host(1), host(2)), 1)
    assert len(decisions) == 1
    assert len(decisions[0].candidates) == 2
    assert live.fleet.use[:4].sum() == 0


def test_a_group_is_kept_apart_and_the_real_one_does_not_hear_of_it() -> None:
    group = Group("anti-affinity", np.array([2], np.intp), np.array([1], np.int64))
    of = fleet(*(host(i) for i in range(1, 5)), groups={"apart": group})
    live, decisions = ask(of, 9, hints={"group": "apart"})
    assert sorted(chosen(decisions)) == ["host-1", "host-2", "host-4"]
    assert decisions[-1].candidates == ()
    assert live.fleet.groups["apart"].hosts.tolist() == [2]


def test_a_group_is_kept_together() -> None:
    none: Group = Group("affinity", np.zeros(0, np.intp), np.zeros(0, np.int64))
    _, decisions = ask(fleet(*(host(i) for i in range(6))), 4, hints={"group": "close"})
    assert len(decisions) == 4
    _, decisions = ask(fleet(*(host(i) for i in range(6)), groups={"close": none}), 4, hints={"group": "close"})
    assert len(set(chosen(decisions))) == 1
