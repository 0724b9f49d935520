"""
One policy over one trace: the scheduler's own fleet, decisions and rankings, on a clock that is only the trace's times.

What is real: `LiveFleet` with its shapes, the profile's filters and weighers, candidates with their alternates, the claim's
rule, the uses that change the fleet, the groups' counters. What is not there: processes, records, and time between a decision
and its claim, so no claim is refused unless a filter is wrong. Builds take no time and never fail; hosts stay up; a failed
placement is not tried again. Servers that leave at a moment make room for those that come at it.
"""

from __future__ import annotations

import heapq
import random
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import msgspec
import numpy as np

from kilonova.domain.allocation import Claim
from kilonova.domain.boot import SchedulingRequest
from kilonova.domain.host import Host
from kilonova.domain.placement import Decision, Explanation
from kilonova.domain.server_group import GroupPolicy
from kilonova.scheduler.fleet import Group, fleet_of
from kilonova.scheduler.live import LiveFleet
from kilonova.simulation import measures
from kilonova.simulation.fleet import NOW
from kilonova.simulation.ledger import Ledger
from kilonova.simulation.policies import Policy
from kilonova.simulation.report import DecisionTimes, Failure, FailureReason, Flavor, Mean, Peak, PolicyReport, Sample
from kilonova.simulation.trace import Arrival

FIRST_FAILURES = 10
Told: TypeAlias = Callable[[int, int], None]  # arrivals that are done, placements that failed


@dataclass(frozen=True, slots=True)
class Course:
    """What is simulated, whatever the policy. `flavors` are those whose fragmentation is measured."""

    hosts: Sequence[Host]
    arrivals: Sequence[Arrival]  # in order of time
    flavors: Sequence[Flavor]
    seed: int = 1
    samples: int = 200


def simulate(course: Course, policy: Policy, told: Told = lambda _done, _failed: None) -> PolicyReport:
    """Run it. `told` hears of each arrival that is done."""
    run = _Run(course, policy)
    moments = _moments(course)
    following = next(moments)
    for done, arrival in enumerate(course.arrivals, start=1):
        at_s = arrival.at_s - course.arrivals[0].at_s
        while at_s > following:
            run.sample(following)
            following = next(moments)
        run.arrive(at_s, arrival)
        told(done, run.failed)
    for moment in (following, *moments):
        run.sample(moment)
    return run.report()


def _moments(course: Course) -> Iterator[float]:
    """When samples are taken: evenly, the last one at the last arrival."""
    span_s = course.arrivals[-1].at_s - course.arrivals[0].at_s
    count = course.samples if span_s else 1
    return (span_s * number / count for number in range(1, count + 1))


class _Run:
    """One policy's fleet on its way through the trace."""

    def __init__(self, course: Course, policy: Policy) -> None:
        fleet = fleet_of(course.hosts, NOW)
        self._policy, self._profile = policy, policy.profile(fleet.roster)
        self._live = LiveFleet(fleet, self._profile, policy.settings.cache_mib)
        self._ledger = Ledger(course.hosts)
        self._room = fleet.room.sum(axis=1).tolist()
        self._rng = random.Random(course.seed)  # noqa: S311 - variety, no secret
        self._asked = {flavor.name: _request(flavor) for flavor in course.flavors}
        self._possible = {name: measures.possible(fleet, asked, self._profile) for name, asked in self._asked.items()}
        self._leaving: list[tuple[float, int, str, Claim, Arrival]] = []
        self._members: dict[str, Counter[int]] = {}
        self._groups: dict[str, Group] = {}
        self._took_s: list[float] = []
        self._failures: list[Failure] = []
        self._reasons: dict[str, FailureReason] = {}
        self._by_flavor: Counter[str] = Counter()
        self._peak = (-1.0, Peak(at_s=0.0, servers=0, hosts_in_use=0, used=dict.fromkeys(measures.RESOURCES, 0.0)))
        self._samples: list[Sample] = []

    @property
    def failed(self) -> int:
        """Placements that failed so far."""
        return self._by_flavor.total()

    def arrive(self, at_s: float, arrival: Arrival) -> None:
        """Place a server, or write down why it cannot be."""
        self._let_go(at_s)
        request = arrival.request()
        decision = self._decide(request)
        held = Claim(
            server_id=request.server_id, vcpus=request.vcpus, ram_mib=request.ram_mib, disk_gib=request.disk_gib
        )
        for candidate in decision.candidates:
            use = self._ledger.claim(candidate.host_id, held)
            if use is not None:
                self._live.apply(use)
                self._count(arrival, candidate.host_id, 1)
                if arrival.lifetime_s is not None:
                    heapq.heappush(
                        self._leaving,
                        (at_s + arrival.lifetime_s, len(self._took_s), candidate.host_id, held, arrival),
                    )
                self._note_peak(at_s)
                return
        self._fail(at_s, arrival, decision.explanation)

    def sample(self, at_s: float) -> None:
        """Measure the fleet as it is at a time."""
        self._let_go(at_s)
        fleet = self._live.fleet
        self._samples.append(
            Sample(
                at_s=at_s, servers=self._ledger.servers, failed=self.failed, hosts_in_use=measures.hosts_in_use(fleet),
                used=measures.used(fleet), density=measures.density(fleet), imbalance=measures.imbalance(fleet),
                fragmentation={
                    name: measures.fragmentation(fleet, asked, self._possible[name])
                    for name, asked in self._asked.items()
                },
            )
        )  # fmt: skip

    def report(self) -> PolicyReport:
        """What came of it."""
        arrivals, settings = len(self._took_s), self._policy.settings
        took_ms = np.array(self._took_s) * 1000
        return PolicyReport(
            policy=self._policy.name, about=self._policy.about, weighers=self._policy.weighers,
            near_best=settings.near_best, placed=arrivals - self.failed, failed=self.failed,
            failed_share=self.failed / arrivals, failed_by_flavor=dict(self._by_flavor.most_common()),
            reasons=tuple(sorted(self._reasons.values(), key=lambda one: -one.failed)),
            first_failures=tuple(self._failures), peak=self._peak[1], mean=_mean(self._samples),
            decisions=DecisionTimes(
                p50_ms=float(np.percentile(took_ms, 50)), p99_ms=float(np.percentile(took_ms, 99)),
                worst_ms=float(took_ms.max()), total_s=float(took_ms.sum() / 1000),
            ),
            samples=tuple(self._samples),
        )  # fmt: skip

    def _decide(self, request: SchedulingRequest) -> Decision:
        began = time.perf_counter()
        decision = self._live.decide(request, self._rng)
        self._took_s.append(time.perf_counter() - began)
        return decision

    def _let_go(self, at_s: float) -> None:
        while self._leaving and self._leaving[0][0] <= at_s:
            _, _, host_id, held, arrival = heapq.heappop(self._leaving)
            self._live.apply(self._ledger.release(host_id, held))
            self._count(arrival, host_id, -1)

    def _count(self, arrival: Arrival, host_id: str, sign: int) -> None:
        """Keep the counters of a server's group, as the records do for a scheduler."""
        if not arrival.group:
            return
        fleet = self._live.fleet
        here = self._members.setdefault(arrival.group, Counter())
        here[fleet.roster.by_id[host_id]] += sign
        places = {place: count for place, count in here.items() if count}
        if places:
            self._groups[arrival.group] = _group(arrival.policy, places)
        else:
            del self._groups[arrival.group], self._members[arrival.group]
        self._live.set_context(fleet.context, self._groups)

    def _note_peak(self, at_s: float) -> None:
        used = [part / room if room else 0.0 for part, room in zip(self._ledger.used, self._room, strict=True)]
        if max(used) > self._peak[0]:
            now = Peak(
                at_s=at_s, servers=self._ledger.servers, hosts_in_use=self._ledger.hosts_in_use,
                used=dict(zip(measures.RESOURCES, used, strict=True)),
            )  # fmt: skip
            self._peak = max(used), now

    def _fail(self, at_s: float, arrival: Arrival, explanation: Explanation) -> None:
        self._by_flavor[arrival.kind] += 1
        last = [step for step in explanation.steps if step.removed][-1]
        before = self._reasons.get(last.name) or FailureReason(filter=last.name, failed=0, example=last.reason)
        self._reasons[last.name] = msgspec.structs.replace(before, failed=before.failed + 1)
        if len(self._failures) < FIRST_FAILURES:
            said = explanation.sentence()
            self._failures.append(Failure(at_s=at_s, server=arrival.server, flavor=arrival.kind, explanation=said))


def _group(policy: GroupPolicy, places: dict[int, int]) -> Group:
    return Group(policy.value, np.array(list(places), np.intp), np.array(list(places.values()), np.int64))


def _request(flavor: Flavor) -> SchedulingRequest:
    return Arrival(
        at_s=0.0, flavor=flavor.name, vcpus=flavor.vcpus, ram_mib=flavor.ram_mib, disk_gib=flavor.disk_gib,
        zone=flavor.zone, traits=flavor.traits,
    ).request()  # fmt: skip


def _mean(samples: Sequence[Sample]) -> Mean:
    def of(field: str) -> dict[str, float]:
        first: dict[str, float] = getattr(samples[0], field)
        return {name: sum(getattr(one, field)[name] for one in samples) / len(samples) for name in first}

    return Mean(
        servers=sum(one.servers for one in samples) / len(samples),
        hosts_in_use=sum(one.hosts_in_use for one in samples) / len(samples),
        used=of("used"), density=of("density"), imbalance=of("imbalance"), fragmentation=of("fragmentation"),
    )  # fmt: skip
