"""Every filter and weigher there is, and decisions by any mixture of them, held against plain rules on random fleets."""

from __future__ import annotations

import random
from importlib.metadata import entry_points

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kilonova.domain.boot import SchedulingRequest
from kilonova.scheduler.columns import Bools
from kilonova.scheduler.decide import decide
from kilonova.scheduler.fleet import Fleet
from kilonova.scheduler.plugin import Filter, NamingFilter, Weigher
from kilonova.scheduler.plugins import profile_of
from kilonova.scheduler.settings import ALWAYS, PROFILES, WEIGHERS, SchedulerSettings
from tests.unit.scheduler import oracle
from tests.unit.scheduler.worlds import World, requests, worlds

HERE = np.array([1, 0, 2])  # some of a fleet, in another order
often = settings(max_examples=200, suppress_health_check=[HealthCheck.too_slow])


OFFERED = {
    kind: {point.name: point.load() for point in entry_points(group=f"kilonova.scheduler.{kind}")}
    for kind in ("filters", "weighers")
}


def test_no_filter_or_weigher_is_without_an_oracle() -> None:
    assert set(OFFERED["filters"]) == set(oracle.FILTERS)
    assert set(OFFERED["weighers"]) == set(oracle.WEIGHERS) == set(oracle.OPTIONS) == set(WEIGHERS)


@often
@given(world=worlds, wanted=requests)
def test_filters_pass_whom_plain_rules_pass(world: World, wanted: SchedulingRequest) -> None:
    fleet = world.fleet()
    for name, may in oracle.FILTERS.items():
        each: Filter = OFFERED["filters"][name].made(world.settings)
        mask = each.mask(fleet, wanted)
        assert mask.tolist() == [may(world, host, wanted) for host in world.hosts], name
        if len(fleet) >= len(HERE) and not isinstance(each, NamingFilter):
            assert each.mask(fleet.part(HERE), wanted).tolist() == mask[HERE].tolist(), name
        check_words(each, fleet, wanted, mask)


def check_words(each: Filter, fleet: Fleet, wanted: SchedulingRequest, mask: Bools) -> None:
    """Who removes hosts says why, what each lacks, and how far it is from passing."""
    removed = np.flatnonzero(~mask)
    assert not len(removed) or each.reason(fleet, wanted, removed), each.name
    assert all(each.lacks(fleet, wanted, host) for host in removed.tolist()), each.name
    far = each.distance(fleet, wanted)
    assert ((far > 0) == ~mask).all(), each.name
    assert (far <= 1).all(), each.name


@often
@given(world=worlds, wanted=requests)
def test_weighers_say_what_plain_rules_say(world: World, wanted: SchedulingRequest) -> None:
    fleet = world.fleet()
    for name, figure in oracle.WEIGHERS.items():
        each: Weigher = OFFERED["weighers"][name].made(world.settings)
        figures = each.score(fleet, wanted)
        assert figures.tolist() == [figure(world, host, wanted) for host in world.hosts], name
        assert each.option == f"{oracle.OPTIONS[name]}_weight_multiplier"
        if len(fleet) >= len(HERE) and not each.personal:
            assert each.score(fleet.part(HERE), wanted).tolist() == figures[HERE].tolist(), name


every_filter = st.lists(st.sampled_from(sorted(set(oracle.FILTERS) - set(ALWAYS))), unique=True, max_size=5)
every_weigher = st.dictionaries(
    st.sampled_from(sorted(WEIGHERS)), st.sampled_from([-2.0, 0.0, 1.0, 3.5]), max_size=5
) | st.sampled_from(list(PROFILES.values()))


@settings(max_examples=100, suppress_health_check=[HealthCheck.too_slow])
@given(world=worlds, wanted=requests, filters=every_filter, mixture=every_weigher, seed=st.integers(0, 9))
def test_a_decision_by_any_mixture_is_what_plain_rules_say(
    world: World, wanted: SchedulingRequest, filters: list[str], mixture: dict[str, float], seed: int
) -> None:
    profile = profile_of(
        SchedulerSettings(
            enabled_filters=tuple(filters), weighers=mixture, alternates=2, metrics=world.settings.metrics,
            max_instances_per_host=world.settings.max_instances_per_host,
            max_io_ops_per_host=world.settings.max_io_ops_per_host,
            isolated_images=world.settings.isolated_images, isolated_hosts=world.settings.isolated_hosts,
            restrict_isolated_hosts_to_isolated_images=world.settings.restrict_isolated_hosts_to_isolated_images,
        )
    )  # fmt: skip
    good = oracle.passing(world, [*ALWAYS, *filters], wanted)
    decision = decide(world.fleet(), wanted, profile, random.Random(seed))
    chosen = {candidate.host: candidate.score for candidate in decision.candidates}
    assert len(chosen) == min(3, len(good))
    if not good:
        assert (decision.explanation.nearest_miss is None) == (not world.hosts)
        return
    expected = oracle.scores(world, mixture, wanted, good)
    assert chosen == pytest.approx({name: expected[name] for name in chosen})
    near = max(expected.values()) - profile.near_best - 1e-9
    for place, score in enumerate(chosen.values()):
        assert score >= near or sum(other > score + 1e-9 for other in expected.values()) <= place
