"""
The ranking of a fleet's hosts for one shape of request: which pass, and how good each is.

For each host: `first`, the filter that removed it (PASSED for none), and `total`, its score (-inf for who did not pass). A
weigher's figures are spread over 0 to its multiplier between the worst and the best host that pass, so a score depends on those
extremes. A changed host is weighed alone while the extremes stay, and all are weighed again only when they do not.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping
from copy import copy
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from kilonova.domain.boot import SchedulingRequest
from kilonova.domain.placement import Candidate, FilterStep
from kilonova.scheduler.columns import Floats, Ints, Positions
from kilonova.scheduler.fleet import GENERATION, Fleet
from kilonova.scheduler.plugin import Filter, NamingFilter, Weigher
from kilonova.scheduler.reasons import NAMED, PASSED, Reasons, Removals
from kilonova.scheduler.spans import Span, is_flat, is_overridden, multiplier_of

_NOBODY: Positions = np.zeros(0, np.intp)
_NOTHING: Mapping[str, Floats] = {}


_TOP = 8  # how many times as far from the best as the nearly best a host may be and belong to the top


class Part(NamedTuple):
    """Some hosts of a fleet, as a fleet of their own, and their places in the whole."""

    fleet: Fleet
    hosts: Positions


@dataclass(frozen=True)
class Profile:
    """How decisions are made: filters in order, weighers with their multipliers, and how many hosts to name."""

    filters: tuple[Filter, ...]
    weighers: tuple[tuple[Weigher, float], ...]
    candidates: int = 5  # the best one and its alternates
    near_best: float = 0.05  # as good as the best, when a weigher's whole span is its multiplier
    naming: tuple[NamingFilter, ...] = field(init=False)
    pure: tuple[Filter, ...] = field(init=False)
    personal: tuple[Weigher, ...] = field(init=False)

    def __post_init__(self) -> None:
        naming = tuple(each for each in self.filters if isinstance(each, NamingFilter))
        object.__setattr__(self, "naming", naming)
        object.__setattr__(self, "personal", tuple(weigher for weigher, _ in self.weighers if weigher.personal))
        object.__setattr__(self, "pure", tuple(each for each in self.filters if not isinstance(each, NamingFilter)))


class Ranking:
    """
    All hosts of a fleet for one shape.

    `known` are figures that need not be asked for, because all shapes share them. They are not written here: who hands them in
    keeps them up to date, in place, and says to `update` which hosts have changed.
    """

    def __init__(
        self, fleet: Fleet, request: SchedulingRequest, profile: Profile, known: Mapping[str, Floats] | None = None
    ) -> None:
        self.profile = profile
        self.first = _first(fleet, request, profile)
        raw = _raw(fleet, request, profile, known or {})
        self.flat = {name: float(row[0]) for name, row in raw.items() if is_flat(row)}
        self.spans = [
            Span(weigher, raw[weigher.name], multiplier_of(fleet, weigher, by))
            for weigher, by in profile.weighers
            if weigher.name in raw and weigher.name not in self.flat
        ]
        self.counts = _counts(self.first, profile)
        self.total: Floats = np.zeros(len(fleet))
        self._near: Positions | None = None
        self._best = -np.inf
        self._top: Positions | None = None  # in order, with all whose score is not below the floor
        self._floor = -np.inf
        self._reasons = Reasons(profile.pure)
        self._candidates: dict[int, Candidate] = {}
        passing = np.flatnonzero(self.first == PASSED)
        for span in self.spans:
            span.measure(passing)
        self._weigh(passing)

    @property
    def size(self) -> int:
        """Bytes, about."""
        own = [span.raw.nbytes for span in self.spans if span.weigher.reads_request]
        return int(self.first.nbytes + self.total.nbytes + sum(own))

    def steps(
        self, fleet: Fleet, request: SchedulingRequest, left: int, but: Positions = _NOBODY
    ) -> tuple[FilterStep, ...]:
        """What each filter did with the `left` hosts, up to the one that left none; those of `but` were removed before."""
        return self._reasons.steps(Removals(self.first, self.counts, fleet, request), left, but)

    def candidate(self, fleet: Fleet, host: int) -> Candidate:
        """One host as a decision names it."""
        known = self._candidates.get(host)
        if known is None:
            name = fleet.roster.names[host]
            known = self._candidates[host] = Candidate(
                host_id=fleet.roster.ids[host], host=name, node=name, zone=fleet.zones.at(host),
                generation=int(fleet.use[GENERATION, host]), score=float(self.total[host]),
                parts={span.weigher.name: span.part(host) for span in self.spans},
            )  # fmt: skip
        return known

    def update(
        self, fleet: Fleet, request: SchedulingRequest, part: Part, known: Mapping[str, Floats] = _NOTHING
    ) -> bool:
        """Ask about changed hosts again. False when that does not do, and a new ranking has to be made."""
        hosts = part.hosts
        if len(hosts) > len(fleet) // 4 or not self._take_figures(part, request, known):
            return False
        first = _first(part.fleet, request, self.profile)
        for codes, sign in ((self.first[hosts], -1), (first, 1)):
            np.add.at(self.counts, codes, sign)
            self._reasons.forget(codes.tolist())
        self.first[hosts] = first
        now = first == PASSED
        moved = [span for span in self.spans if not span.holds(hosts[now], self._passes)]
        passing = np.flatnonzero(self.first == PASSED) if moved else _NOBODY
        if any([span.measure(passing) for span in moved]):  # noqa: C419 - all of them are measured
            self._weigh(passing)
        else:
            self.total[hosts] = np.where(now, sum(span.parts(hosts) for span in self.spans), -np.inf)
            self._rejoin(hosts)
        return True

    def _rejoin(self, hosts: Positions) -> None:
        """These hosts have other scores: they may belong to the top now. Those that fell out of it may stay."""
        for host in hosts.tolist():
            self._candidates.pop(host, None)
        self._near = None
        if self._top is not None:
            good = hosts[self.total[hosts] >= self._floor]
            places = np.searchsorted(self._top, good)
            is_new = self._top[np.minimum(places, len(self._top) - 1)] != good
            self._top = np.insert(self._top, places[is_new], good[is_new])

    def _take_figures(self, part: Part, request: SchedulingRequest, known: Mapping[str, Floats]) -> bool:
        """Bring this ranking's own figures of these hosts up to date. False when a weigher has begun to tell hosts apart."""
        for each in counting(part.fleet, self.profile):
            fresh = known[each.name][part.hosts] if each.name in known else each.score(part.fleet, request)
            if each.name in self.flat:
                if (fresh != self.flat[each.name]).any():
                    return False
            elif each.name not in known:
                next(span for span in self.spans if span.weigher is each).raw[part.hosts] = fresh
        return True

    def _passes(self, host: int) -> bool:
        return bool(self.first[host] == PASSED)

    def plus(self, fleet: Fleet, scores: Mapping[str, Floats]) -> Ranking:
        """The ranking with the figures of personal weighers."""
        other, passing = copy(self), np.flatnonzero(self.first == PASSED)
        other.spans, other.total = list(self.spans), self.total.copy()
        for weigher, by in self.profile.weighers:
            if weigher.name in scores:
                span = Span(weigher, scores[weigher.name], multiplier_of(fleet, weigher, by))
                span.measure(passing)
                other.spans.append(span)
                other.total += span.parts(slice(None))
        other._near, other._top, other._candidates = None, None, {}  # noqa: SLF001 - one of us
        return other

    def without(self, but: Positions) -> tuple[Ranking, frozenset[int]]:
        """The ranking when some hosts are removed beforehand, and those hosts of it that are to be skipped."""
        out = but[self.first[but] == PASSED] if len(but) else but
        if not len(out):
            return self, frozenset()
        stays = all(span.outlives(out) for span in self.spans)
        if stays and self.total[out].max() < self.near()[1] and len(self.near()[0]) > len(out) + 16:
            return self, frozenset(out.tolist())
        return self._copy_without(out), frozenset()

    def near(self) -> tuple[Positions, float]:
        """The hosts that are as good as the best, and the best score; looked for in the top while it is known to have them."""
        while self._near is None:
            if self._top is None:
                self._floor = float(self.total.max()) - _TOP * self.profile.near_best
                self._top = np.flatnonzero(self.total >= self._floor)
            totals = self.total[self._top]
            self._best = float(totals.max())
            worst = self._best - self.profile.near_best
            if worst >= self._floor:
                self._near = self._top[totals >= worst]
            else:
                self._top = None
        return self._near, self._best

    def best(self, count: int, rng: random.Random, skip: frozenset[int]) -> list[int]:
        """The best hosts: those near the best shuffled, then the others in order. `skip` are not among them."""
        near, _ = self.near()
        passed = int(self.counts[PASSED])
        if len(near) >= count + len(skip):
            drawn = [near.item(place) for place in _drawn(rng, len(near), count + len(skip))]
            return [host for host in drawn if host not in skip][:count]
        shuffled = rng.sample(near.tolist(), len(near))
        rest = min(count, passed) - len(near)
        if rest <= 0:
            return shuffled[:count]
        return shuffled + self._next_best(rest)

    def _next_best(self, count: int) -> list[int]:
        """The best of those that are not near the best, in order; from the top, if it has so many."""
        assert self._top is not None  # noqa: S101 - `near` was asked
        worst = self._best - self.profile.near_best
        totals = self.total[self._top]
        among = self._top[(totals < worst) & (totals >= self._floor)]
        if len(among) < count:
            among = np.flatnonzero((self.total < worst) & (self.total > -np.inf))
        best = among[np.argpartition(-self.total[among], count - 1)[:count]]
        return [int(host) for host in best[np.argsort(-self.total[best], kind="stable")]]

    def _weigh(self, passing: Positions) -> None:
        scores: Floats = np.zeros(len(passing))
        for span in self.spans:
            scores += span.parts(passing)
        self.total = np.full(len(self.first), -np.inf)
        self.total[passing] = scores
        self._near, self._top, self._candidates = None, None, {}

    def _copy_without(self, out: Positions) -> Ranking:
        other = copy(self)
        other.first, other.counts = self.first.copy(), self.counts.copy()
        other.first[out] = NAMED
        other.counts[PASSED] -= len(out)
        other.spans = [Span(span.weigher, span.raw, span.multiplier) for span in self.spans]
        passing = np.flatnonzero(other.first == PASSED)
        for span in other.spans:
            span.measure(passing)
        other._weigh(passing)  # noqa: SLF001 - one of us
        return other


def _drawn(rng: random.Random, of: int, count: int) -> Iterable[int]:
    """So many different places below `of`, in random order."""
    if of < 4 * count:
        return rng.sample(range(of), count)
    places: dict[int, None] = {}
    while len(places) < count:
        places[int(rng.random() * of)] = None
    return places


def _first(fleet: Fleet, request: SchedulingRequest, profile: Profile) -> NDArray[np.uint8]:
    first = np.full(len(fleet), PASSED, np.uint8)
    for code in reversed(range(len(profile.pure))):  # so that what is written last is the first that removes
        mask = profile.pure[code].mask(fleet, request)
        if mask is not fleet.everyone:
            np.copyto(first, np.uint8(code), where=~mask)
    return first


def _counts(first: NDArray[np.uint8], profile: Profile) -> Ints:
    """How many hosts each filter removed, by its code, and how many PASSED."""
    counts = np.zeros(PASSED + 1, np.int64)
    for code in (*range(len(profile.pure)), PASSED):
        counts[code] = np.count_nonzero(first == code)
    return counts


def counting(fleet: Fleet, profile: Profile) -> list[Weigher]:
    """The weighers that are not personal and count."""
    return [
        weigher for weigher, by in profile.weighers if not weigher.personal and (by or is_overridden(fleet, weigher))
    ]


def _raw(
    fleet: Fleet, request: SchedulingRequest, profile: Profile, known: Mapping[str, Floats] = _NOTHING
) -> dict[str, Floats]:
    return {
        each.name: known[each.name] if each.name in known else each.score(fleet, request)
        for each in counting(fleet, profile)
    }
