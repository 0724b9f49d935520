"""
A decision: filter the fleet, weigh what is left, name the best hosts, and say why.

Pure: the same fleet, request, profile and random source give the same answer. No loop here runs over hosts.

Filters that name hosts are asked first, whatever their place in the settings: it changes no answer, and leaves a part of the
decision that is the same for all requests of one shape, which `shapes.py` keeps.

Hosts whose scores are nearly the best are as good as the best, and are taken in random order: several schedulers deciding at once
on the same picture then rarely send their servers to one host, and the claims that follow do not wait for each other. What one
scheduler has chosen and not yet heard of as claimed it expects (`expected.py`); what the others choose it cannot know.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from kilonova.domain.boot import SchedulingRequest
from kilonova.domain.placement import Decision, Explanation, FilterStep
from kilonova.scheduler.columns import Positions
from kilonova.scheduler.explain import nearest_miss
from kilonova.scheduler.fleet import Fleet
from kilonova.scheduler.ranking import Profile, Ranking

__all__ = ["Profile", "decide"]

_NOBODY: Positions = np.zeros(0, np.intp)


def decide(
    fleet: Fleet,
    request: SchedulingRequest,
    profile: Profile,
    rng: random.Random,
    ranked: Callable[[], Ranking] | None = None,
) -> Decision:
    """
    Where a server could go, best first; nowhere, with the nearest miss, when no host passes.

    `ranked` gives the ranking of all hosts without the naming filters, when that is at hand.
    """
    named, steps = _named(fleet, request, profile)
    scores = {each.name: each.score(fleet, request) for each in profile.personal if each.applies(fleet, request)}
    if named.only is not None:
        asked = fleet.part(named.only)
        whole = Ranking(asked, request, profile)
        scores = {name: row[named.only] for name, row in scores.items()}
    else:
        asked = fleet
        whole = Ranking(fleet, request, profile) if ranked is None else ranked()
    if scores:
        whole = whole.plus(asked, scores)
    left = len(fleet) - sum(step.removed for step in steps)
    if left:
        steps += whole.steps(asked, request, left, named.but)
        left = steps[-1].before - steps[-1].removed if steps else left
    if not left:
        miss = nearest_miss(fleet, request, profile.filters)
        return Decision(candidates=(), explanation=Explanation(hosts=len(fleet), steps=tuple(steps), nearest_miss=miss))
    ranking, skip = whole.without(named.but)
    best = tuple([ranking.candidate(asked, host) for host in ranking.best(profile.candidates, rng, skip)])
    return Decision(candidates=best, explanation=Explanation(hosts=len(fleet), steps=tuple(steps), best=best))


@dataclass(frozen=True, slots=True)
class _Named:
    """What the naming filters leave: these hosts only, or all but those."""

    only: Positions | None
    but: Positions


def _named(fleet: Fleet, request: SchedulingRequest, profile: Profile) -> tuple[_Named, list[FilterStep]]:
    only: Positions | None = None
    but, before, steps = _NOBODY, len(fleet), []
    for each in profile.naming:
        if not before:
            break
        wanted, unwanted = each.only(fleet, request), each.but(fleet, request)
        if wanted is None and unwanted is None:
            steps.append(_asked_nothing(each.name, before))
            continue
        gone = _gone(len(fleet), only, but, wanted, unwanted)
        if wanted is not None:
            here = wanted if only is None else only
            only = np.setdiff1d(np.intersect1d(here, wanted), but)
        if only is not None:
            only = only if unwanted is None else np.setdiff1d(only, unwanted)
            but, left = _NOBODY, len(only)
        else:
            but = np.union1d(but, gone) if len(but) else gone
            left = len(fleet) - len(but)
        reason = each.reason(fleet, request, gone) if len(gone) else ""
        steps.append(FilterStep(name=each.name, before=before, removed=len(gone), reason=reason))
        before = left
    return _Named(only, but), steps


@lru_cache(maxsize=64)
def _asked_nothing(name: str, before: int) -> FilterStep:
    return FilterStep(name=name, before=before, removed=0)


def _gone(
    count: int, only: Positions | None, but: Positions, wanted: Positions | None, unwanted: Positions | None
) -> Positions:
    """Of the hosts left so far (`only`, or all of `count` less `but`), those that a filter takes away."""
    if wanted is None and only is None and unwanted is not None:
        return np.setdiff1d(unwanted, but) if len(but) or len(unwanted) > 1 else unwanted
    here = np.zeros(count, np.bool_) if only is not None else np.ones(count, np.bool_)
    here[only if only is not None else but] = only is not None
    stay = here.copy() if wanted is None else np.zeros(count, np.bool_)
    if wanted is not None:
        stay[wanted] = here[wanted]
    if unwanted is not None:
        stay[unwanted] = False
    return np.flatnonzero(here & ~stay)
