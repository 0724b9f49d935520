"""Several policies over the same trace and fleet, and what is reported of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from functools import partial
from typing import TypeAlias

import msgspec

from kilonova.domain.host import Host
from kilonova.scheduler.fleet import fleet_of
from kilonova.simulation.fleet import NOW
from kilonova.simulation.measures import RESOURCES
from kilonova.simulation.policies import Policy
from kilonova.simulation.report import Flavor, Report
from kilonova.simulation.run import Course, simulate
from kilonova.simulation.trace import Arrival

MEASURED_FLAVORS = 6
Told: TypeAlias = Callable[[str, int, int], None]  # the policy's name, arrivals that are done, placements that failed


def compare(
    hosts: Sequence[Host], arrivals: Sequence[Arrival], policies: Sequence[Policy], *, seed: int = 1,
    samples: int = 200, told: Told = lambda _policy, _done, _failed: None,
) -> Report:  # fmt: skip
    """Run each policy. The same of everything gives the same report, but for the times that decisions took."""
    course = Course(hosts, arrivals, measured_flavors(arrivals, hosts), seed, samples)
    room = fleet_of(hosts, NOW).room.sum(axis=1).tolist()
    done = [simulate(course, policy, partial(told, policy.name)) for policy in policies]
    return Report(
        hosts=len(hosts), room=dict(zip(RESOURCES, room, strict=True)), arrivals=len(arrivals),
        span_s=arrivals[-1].at_s - arrivals[0].at_s, seed=seed, flavors=tuple(course.flavors), policies=tuple(done),
    )  # fmt: skip


def measured_flavors(arrivals: Sequence[Arrival], hosts: Sequence[Host]) -> list[Flavor]:
    """The largest flavor by the part that it takes of the fleet, then the most frequent ones; one of each name."""
    counts = Counter(_flavor(arrival) for arrival in arrivals)
    whole = [max(1, sum(getattr(host.facts, field) for host in hosts)) for field in ("vcpus", "ram_mib", "disk_gib")]
    largest = max(counts, key=lambda one: max(one.vcpus / whole[0], one.ram_mib / whole[1], one.disk_gib / whole[2]))
    named = {largest.name: largest}
    for flavor, _ in counts.most_common():
        named.setdefault(flavor.name, flavor)
    chosen = list(named.values())[:MEASURED_FLAVORS]
    return [msgspec.structs.replace(one, arrivals=counts[one]) for one in chosen]


def _flavor(arrival: Arrival) -> Flavor:
    return Flavor(
        name=arrival.kind, vcpus=arrival.vcpus, ram_mib=arrival.ram_mib, disk_gib=arrival.disk_gib, arrivals=0,
        zone=arrival.zone, traits=arrival.traits,
    )  # fmt: skip
