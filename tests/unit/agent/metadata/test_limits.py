from __future__ import annotations

import itertools

from hypothesis import given
from hypothesis import strategies as st

from kilonova.agent.metadata.limits import Buckets, MetadataLimits, Turns


def test_a_server_has_a_burst_and_then_its_rate() -> None:
    buckets = Buckets(MetadataLimits(burst=3, requests_per_s=2))
    assert [buckets.spend("a", 10.0) for _ in range(4)] == [True, True, True, False]
    assert buckets.spend("b", 10.0)
    assert [buckets.spend("a", 10.5) for _ in range(2)] == [True, False]


def test_servers_that_have_not_asked_for_long_are_forgotten() -> None:
    buckets = Buckets(MetadataLimits(burst=1, requests_per_s=1))
    for number in range(5000):
        assert buckets.spend(str(number), float(number))
    assert len(buckets._buckets) <= 1001


@given(st.lists(st.sampled_from("abcd"), max_size=30))
def test_servers_take_turns(order: list[str]) -> None:
    turns: Turns[tuple[str, int]] = Turns()
    for number, server in enumerate(order):
        turns.add(server, (server, number))
    done = []
    while (work := turns.take()) is not None:
        done.append(work)
    assert sorted(number for _, number in done) == list(range(len(order)))
    for server in set(order):
        mine = [place for place, (whose, _) in enumerate(done) if whose == server]
        assert [done[place][1] for place in mine] == sorted(done[place][1] for place in mine)
        gaps = [after - before for before, after in itertools.pairwise(mine)]
        assert all(gap <= len(set(order)) for gap in gaps)  # one of every other's between two of its own
