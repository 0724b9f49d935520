"""A few of the kills of `make chaos`, on simulated hosts: the real process, ended with -9 and started again."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from kilonova.domain.errors import Rejected
from kilonova.faults import VARIABLE, Faults
from tests.chaos.bench import SimBench
from tests.chaos.points import SAGAS, Point, points
from tests.chaos.trials import Trials

SOME = {
    "boot": (Point("cast:Report"), Point("journal:boot:1:before outage", outage=True)),
    "delete": (Point("journal:delete:1:before"),),
    "undo": (Point("journal:boot:6:after"),),
}


@pytest.fixture
def bench() -> Iterator[SimBench]:
    with SimBench() as made:
        yield made


@pytest.mark.parametrize("saga", SAGAS)
def test_servers_end_where_they_should_when_the_process_is_killed(bench: SimBench, saga: str) -> None:
    trials = Trials(bench, saga)
    assert [trials.run(point) for point in SOME[saga]] == [""] * len(SOME[saga])
    assert trials.tally.kills == len(SOME[saga])
    assert trials.finish() == []


@pytest.mark.parametrize("saga", SAGAS)
def test_every_point_is_one_that_the_process_knows(saga: str) -> None:
    named = [point.name for point in points(saga)]
    assert len(named) == len(set(named))
    for point in points(saga):
        Faults({VARIABLE: point.fault})


def test_a_fault_point_that_is_none_is_refused() -> None:
    with pytest.raises(Rejected, match="no fault point 'kill:everything'"):
        Faults({VARIABLE: "kill:everything"})
