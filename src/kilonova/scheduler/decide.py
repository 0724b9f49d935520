"""
A decision: filter the fleet, weigh what is left, name the best hosts, and say why.

Pure: the same fleet, request, profile and random source give the same answer. No loop here runs over hosts.

Hosts whose scores are nearly the best are as good as the best, and are taken in random order: several schedulers deciding at once
on the same picture then rarely send their servers to one host, and the claims that follow do not wait for each other. That is
enough: of servers placed by 4 threads on 100 uneven hosts until these are 90% full (`benchmarks/scheduler.py`), 99.7% get the
host named first, 99.0% without it; alternates take the rest, and use ends as even as with one thread. Booking a decision's use
in memory until its claim is heard of made that 100%, but then hosts look full that are not, and 4% of servers were refused.
"""

from __future__ import annotations

import random
from dataclasses import dataclass

import numpy as np

from kilonova.domain.boot import SchedulingRequest
from kilonova.domain.placement import Candidate, Decision, Explanation, FilterStep
from kilonova.scheduler.columns import Bools, Floats, Positions
from kilonova.scheduler.explain import nearest_miss
from kilonova.scheduler.fleet import GENERATION, Fleet
from kilonova.scheduler.plugin import Filter, Weigher


@dataclass(frozen=True, slots=True)
class Profile:
    """How decisions are made: filters in order, weighers with their multipliers, and how many hosts to name."""

    filters: tuple[Filter, ...]
    weighers: tuple[tuple[Weigher, float], ...]
    candidates: int = 5  # the best one and its alternates
    near_best: float = 0.05  # as good as the best, when a weigher's whole span is its multiplier


def decide(fleet: Fleet, request: SchedulingRequest, profile: Profile, rng: random.Random) -> Decision:
    """Where a server could go, best first; nowhere, with the nearest miss, when no host passes."""
    passing, steps = _filter(fleet, request, profile.filters)
    if not passing.any():
        miss = nearest_miss(fleet, request, profile.filters)
        return Decision(candidates=(), explanation=Explanation(hosts=len(fleet), steps=steps, nearest_miss=miss))
    best = _weigh(fleet, request, passing, profile, rng)
    return Decision(candidates=best, explanation=Explanation(hosts=len(fleet), steps=steps, best=best))


def _filter(
    fleet: Fleet, request: SchedulingRequest, filters: tuple[Filter, ...]
) -> tuple[Bools, tuple[FilterStep, ...]]:
    passing, left = fleet.everyone, len(fleet)
    steps = []
    for each in filters:
        if not left:
            break
        mask = each.mask(fleet, request)
        before, removed, reason = left, 0, ""
        if mask is not fleet.everyone:
            still = passing & mask
            left = int(np.count_nonzero(still))
            removed = before - left
            if removed:
                reason = each.reason(fleet, request, np.flatnonzero(passing & ~mask))
            passing = still
        steps.append(FilterStep(name=each.name, before=before, removed=removed, reason=reason))
    return passing, tuple(steps)


def _weigh(
    fleet: Fleet, request: SchedulingRequest, passing: Bools, profile: Profile, rng: random.Random
) -> tuple[Candidate, ...]:
    hosts = np.flatnonzero(passing)
    total = np.zeros(len(hosts))
    parts = {}
    for weigher, multiplier in profile.weighers:
        raw = weigher.score(fleet, request)
        parts[weigher.name] = part = _normalised(raw if len(hosts) == len(fleet) else raw[hosts], multiplier)
        total += part
    roster, generations = fleet.roster, fleet.use[GENERATION]
    return tuple(
        Candidate(
            host_id=roster.ids[host], host=roster.names[host], node=roster.names[host], zone=fleet.zones.at(host),
            generation=int(generations[host]), score=float(total[place]),
            parts={name: float(part[place]) for name, part in parts.items()},
        )
        for place, host in ((place, hosts[place]) for place in _best(total, profile, rng))
    )  # fmt: skip


def _normalised(raw: Floats, multiplier: float) -> Floats:
    """From 0 for the worst host to `multiplier` for the best; 0 for all when they are alike."""
    low, high = raw.min(), raw.max()
    return (raw - low) * (multiplier / (high - low)) if high > low else np.zeros(len(raw))


def _best(total: Floats, profile: Profile, rng: random.Random) -> list[int]:
    """The places of the best scores: those near the best shuffled, then the others in order."""
    count = min(profile.candidates, len(total))
    near: Positions = np.flatnonzero(total >= total.max() - profile.near_best)
    if len(near) >= count:
        return [int(near[i]) for i in rng.sample(range(len(near)), count)]
    top = np.argpartition(-total, count - 1)[:count]
    others = np.setdiff1d(top, near)
    ranked = others[np.argsort(-total[others], kind="stable")]
    return rng.sample(near.tolist(), len(near)) + [int(place) for place in ranked]
