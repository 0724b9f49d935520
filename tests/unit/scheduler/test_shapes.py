"""What is kept of repeated shapes says what a decision from nothing says, whatever changed in between."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kilonova.domain.boot import SchedulingRequest
from kilonova.domain.host import HostUse
from kilonova.scheduler.decide import decide
from kilonova.scheduler.fleet import Group
from kilonova.scheduler.live import LiveFleet
from kilonova.scheduler.plugins import profile_of
from kilonova.scheduler.settings import SchedulerSettings
from tests.unit.scheduler.building import fleet, host, request

PROFILE = profile_of(SchedulerSettings(multipliers={"NumInstancesWeigher": -0.5}))
GROUPS = {
    name: Group(name, np.array([1, 4]), np.array([1, 2]), max_per_host=1)
    for name in ("affinity", "anti-affinity", "soft-affinity", "soft-anti-affinity")
}

some_hosts = st.lists(
    st.fixed_dictionaries(
        {
            "zone": st.sampled_from(["nova", "az1"]),
            "disabled": st.booleans(),
            "ram_mib": st.sampled_from([1024, 2048, 4096]),
            "ram_mib_used": st.sampled_from([0, 512, 1024]),
            "traits": st.sampled_from([(), ("HW_AES",)]),
        }
    ),
    min_size=5,
    max_size=40,
)
some_request = st.builds(
    request,
    ram_mib=st.sampled_from([512, 1024]),
    availability_zone=st.sampled_from([None, "az1"]),
    extra_specs=st.sampled_from([{}, {"trait:HW_AES": "required"}, {"trait:HW_AES": "forbidden"}]),
    excluded_hosts=st.sampled_from([(), ("host-0",), ("host-1", "host-3")]),
    forced_host=st.sampled_from([None, None, "host-2"]),
    hints=st.sampled_from([{}, *({"group": name} for name in GROUPS)]),
)
some_uses = st.lists(st.tuples(st.integers(0, 4), st.integers(0, 8), st.integers(0, 3)), max_size=4)


@given(about=some_hosts, story=st.lists(st.tuples(some_request, some_uses), min_size=1, max_size=8))
def test_kept_rankings_decide_as_new_ones(
    about: list[dict[str, Any]], story: list[tuple[SchedulingRequest, list[tuple[int, int, int]]]]
) -> None:
    live = LiveFleet(fleet(*(host(i, **one) for i, one in enumerate(about)), groups=GROUPS), PROFILE)
    generation = 1
    for wanted, uses in story:
        for at, quarters, servers in uses:
            generation += 1
            live.apply(
                HostUse(
                    host_id=f"id-{at}", generation=generation, vcpus_used=quarters, ram_mib_used=quarters * 256,
                    disk_gib_used=quarters, servers=servers,
                )
            )  # fmt: skip
        kept, new = live.decide(wanted, random.Random(1)), decide(live.fleet, wanted, PROFILE, random.Random(1))
        assert kept.explanation.steps == new.explanation.steps
        assert kept.explanation.nearest_miss == new.explanation.nearest_miss
        # Scores, not hosts: which of the nearly best is drawn depends on how many were set aside before.
        assert len(kept.candidates) == len(new.candidates)
        whole = decide(live.fleet, wanted, _all(len(about)), random.Random(1))
        scores = {one.host: one.score for one in whole.candidates}
        assert {one.host: one.score for one in kept.candidates} == pytest.approx(
            {one.host: scores[one.host] for one in kept.candidates}
        )
        best = max(scores.values(), default=0.0) - PROFILE.near_best - 1e-9
        for place, one in enumerate(kept.candidates):
            assert one.score >= best or sum(other > one.score + 1e-9 for other in scores.values()) <= place


def _all(count: int) -> Any:
    return type(PROFILE)(PROFILE.filters, PROFILE.weighers, candidates=count, near_best=PROFILE.near_best)


@pytest.mark.parametrize("seed", range(4))
def test_a_long_story_of_claims_and_releases_leaves_kept_rankings_right(seed: int) -> None:
    rng = random.Random(seed)
    made = [
        host(
            i,
            ram_mib=rng.choice([4096, 8192]),
            ram_mib_used=rng.randrange(2048),
            vcpus_used=rng.randrange(20),
            traits=("HW_AES",) * rng.randrange(2),
        )
        for i in range(400)
    ]
    live = LiveFleet(fleet(*made, groups=GROUPS), PROFILE)
    shapes = [
        request(ram_mib=ram, vcpus=vcpus, extra_specs=specs, hints=hints)
        for ram, vcpus in ((256, 1), (1024, 4))
        for specs in ({}, {"trait:HW_AES": "required"})
        for hints in ({}, {"group": "anti-affinity"}, {"group": "soft-affinity"})
    ]
    for generation in range(2, 250):
        wanted = rng.choice(shapes)
        kept, new = live.decide(wanted, random.Random(1)), decide(live.fleet, wanted, PROFILE, random.Random(1))
        assert kept.explanation.steps == new.explanation.steps
        scores = {one.host: one.score for one in decide(live.fleet, wanted, _all(400), random.Random(1)).candidates}
        assert len(kept.candidates) == PROFILE.candidates
        ranked = sorted(scores.values(), reverse=True)
        for place, one in enumerate(kept.candidates):
            assert one.score == pytest.approx(scores[one.host])
            assert sum(one.parts.values()) == pytest.approx(one.score)
            assert one.score >= min(ranked[0] - PROFILE.near_best, ranked[place]) - 1e-9
        for best in kept.candidates[: rng.randrange(1, 3)]:
            live.apply(_moved(live, best.host_id, generation, wanted, rng))


def _moved(live: LiveFleet, host_id: str, generation: int, wanted: SchedulingRequest, rng: random.Random) -> HostUse:
    """A claim, or now and then a host that is emptied."""
    use = live.fleet.use[:, live.fleet.roster.by_id[host_id]].tolist()
    kept, taken = (0, 0) if rng.random() < 0.2 else (1, 1)
    return HostUse(
        host_id=host_id, generation=generation, vcpus_used=use[0] * kept + wanted.vcpus * taken,
        ram_mib_used=use[1] * kept + wanted.ram_mib * taken, disk_gib_used=use[2] * kept + taken, servers=use[3] * kept + taken,
    )  # fmt: skip
