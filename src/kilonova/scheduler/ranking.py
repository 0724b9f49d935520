"""
The ranking of a fleet's hosts for one shape of request: which pass, and how good each is.

For each host: `first`, the filter that removed it (PASSED for none), and `total`, its score (-inf for who did not pass). A
weigher's figures are spread over 0 to its multiplier between the worst and the best host that pass, so a score depends on those
extremes. How many hosts are at each extreme is therefore kept: a changed host is weighed alone while the extremes stay, and all
are weighed again only when the last host at one has left it or a new one lies beyond.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from contextlib import suppress
from copy import copy
from dataclasses import dataclass, field
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from kilonova.domain.aggregate import Aggregate
from kilonova.domain.boot import SchedulingRequest
from kilonova.scheduler.columns import Bools, Floats, Ints, Positions
from kilonova.scheduler.fleet import Fleet
from kilonova.scheduler.plugin import Filter, NamingFilter, Weigher

PASSED, NAMED = 255, 254  # NAMED: removed by a filter that names hosts
Multiplier: TypeAlias = float | Floats
_NOBODY: Positions = np.zeros(0, np.intp)


@dataclass(frozen=True)
class Profile:
    """How decisions are made: filters in order, weighers with their multipliers, and how many hosts to name."""

    filters: tuple[Filter, ...]
    weighers: tuple[tuple[Weigher, float], ...]
    candidates: int = 5  # the best one and its alternates
    near_best: float = 0.05  # as good as the best, when a weigher's whole span is its multiplier
    naming: tuple[NamingFilter, ...] = field(init=False)
    pure: tuple[Filter, ...] = field(init=False)

    def __post_init__(self) -> None:
        naming = tuple(each for each in self.filters if isinstance(each, NamingFilter))
        object.__setattr__(self, "naming", naming)
        object.__setattr__(self, "pure", tuple(each for each in self.filters if not isinstance(each, NamingFilter)))


class Span:
    """One weigher's figures of all hosts, and what the extremes are among those that pass."""

    def __init__(self, weigher: Weigher, raw: Floats, multiplier: Multiplier) -> None:
        self.weigher, self.raw, self.multiplier = weigher, raw, multiplier
        self.low = self.high = 0.0
        self.at_low = self.at_high = 0

    def measure(self, passing: Bools) -> bool:
        """Find the extremes. Whether they differ from what they were."""
        before = self.low, self.high
        among = self.raw[passing]
        if len(among):
            self.low, self.high = float(among.min()), float(among.max())
            self.at_low = int(np.count_nonzero(among == self.low))
            self.at_high = int(np.count_nonzero(among == self.high))
        return (self.low, self.high) != before

    def parts(self, hosts: Positions | slice) -> Multiplier:
        """The scores of some hosts: from 0 for the worst to the multiplier for the best; 0 for all when all are alike."""
        if self.high <= self.low:
            return 0.0
        by = self.multiplier if isinstance(self.multiplier, float) else self.multiplier[hosts]
        scores: Floats = (self.raw[hosts] - self.low) * (by / (self.high - self.low))
        return scores

    def part(self, host: int) -> float:
        """The score of one host."""
        if self.high <= self.low:
            return 0.0
        by = self.multiplier if isinstance(self.multiplier, float) else self.multiplier.item(host)
        return float((self.raw.item(host) - self.low) * (by / (self.high - self.low)))

    def outlives(self, leaving: Floats) -> bool:
        """Whether the extremes stay when hosts with these figures are gone."""
        low, high = np.count_nonzero(leaving == self.low), np.count_nonzero(leaving == self.high)
        return bool(low < self.at_low and high < self.at_high)

    def move(self, hosts: Positions, fresh: Floats, was: Bools, now: Bools) -> bool:
        """Take changed figures. Whether the extremes may be others now."""
        old, new = self.raw[hosts][was], fresh[now]
        self.raw[hosts] = fresh
        if len(new) and (new.min() < self.low or new.max() > self.high):
            return True
        self.at_low += int(np.count_nonzero(new == self.low) - np.count_nonzero(old == self.low))
        self.at_high += int(np.count_nonzero(new == self.high) - np.count_nonzero(old == self.high))
        return self.at_low <= 0 or self.at_high <= 0


class Ranking:
    """All hosts of a fleet for one shape; `scores` are those of personal weighers that apply."""

    def __init__(
        self, fleet: Fleet, request: SchedulingRequest, profile: Profile, scores: Mapping[str, Floats] | None = None
    ) -> None:
        self.profile = profile
        self.first = _first(fleet, request, profile)
        raw = _raw(fleet, request, profile) | dict(scores or {})
        self.flat = {name: float(row[0]) for name, row in raw.items() if len(row) and row.min() == row.max()}
        self.spans = [
            Span(weigher, raw[weigher.name], _multiplier(fleet, weigher, by))
            for weigher, by in profile.weighers
            if weigher.name in raw and weigher.name not in self.flat
        ]
        self.counts: Ints = np.bincount(self.first, minlength=PASSED + 1)
        self.total: Floats = np.zeros(len(fleet))
        self._near: Positions | None = None
        self._best = -np.inf
        self._reasons: dict[int, str] = {}
        passing = self.first == PASSED
        for span in self.spans:
            span.measure(passing)
        self._weigh(passing)

    @property
    def size(self) -> int:
        """Bytes, about."""
        return int(self.first.nbytes + self.total.nbytes + sum(span.raw.nbytes for span in self.spans))

    def removed(
        self, fleet: Fleet, request: SchedulingRequest, but: Positions = _NOBODY
    ) -> list[tuple[Filter, int, str]]:
        """Each filter with how many hosts it removed, and why; those of `but` were removed before."""
        gone = np.bincount(self.first[but], minlength=PASSED + 1) if len(but) else None
        steps = []
        for code, each in enumerate(self.profile.pure):
            fewer = 0 if gone is None else int(gone[code])
            count = int(self.counts[code]) - fewer
            reason = ""
            if count and fewer:
                reason = each.reason(fleet, request, np.setdiff1d(np.flatnonzero(self.first == code), but))
            elif count:
                reason = self._reasons.get(code, "")
                if not reason:
                    reason = each.reason(fleet, request, np.flatnonzero(self.first == code))
                    self._reasons[code] = reason
            steps.append((each, count, reason))
        return steps

    def update(self, fleet: Fleet, request: SchedulingRequest, hosts: Positions) -> bool:
        """Ask about changed hosts again. False when that does not do, and a new ranking has to be made."""
        part = fleet.part(hosts)
        first = _first(part, request, self.profile)
        fresh = _raw(part, request, self.profile)
        if any((fresh[name] != value).any() for name, value in self.flat.items()):
            return False
        was, now = self.first[hosts] == PASSED, first == PASSED
        for codes, sign in ((self.first[hosts], -1), (first, 1)):
            np.add.at(self.counts, codes, sign)
            for code in set(codes.tolist()):
                self._reasons.pop(code, None)
        self.first[hosts] = first
        moved = [span for span in self.spans if span.move(hosts, fresh[span.weigher.name], was, now)]
        passing = self.first == PASSED if moved else None
        differ = [] if passing is None else [span.measure(passing) for span in moved]
        if passing is not None and any(differ):
            self._weigh(passing)
        else:
            self.total[hosts] = np.where(now, sum(span.parts(hosts) for span in self.spans), -np.inf)
            self._near = None
        return True

    def without(self, but: Positions) -> tuple[Ranking, frozenset[int]]:
        """The ranking when some hosts are removed beforehand, and those hosts of it that are to be skipped."""
        out = but[self.first[but] == PASSED] if len(but) else but
        if not len(out):
            return self, frozenset()
        stays = all(span.outlives(span.raw[out]) for span in self.spans)
        if stays and self.total[out].max() < self.near()[1] and len(self.near()[0]) > len(out) + 16:
            return self, frozenset(out.tolist())
        return self._copy_without(out), frozenset()

    def near(self) -> tuple[Positions, float]:
        """The hosts that are as good as the best, and the best score."""
        if self._near is None:
            self._best = float(self.total.max())
            self._near = np.flatnonzero(self.total >= self._best - self.profile.near_best)
        return self._near, self._best

    def best(self, count: int, rng: random.Random, skip: frozenset[int]) -> list[int]:
        """The best hosts: those near the best shuffled, then the others in order. `skip` are not among them."""
        near, _ = self.near()
        passed = int(self.counts[PASSED])
        if len(near) >= count + len(skip):
            drawn = rng.sample(range(len(near)), count + len(skip))
            return [host for host in (int(near[i]) for i in drawn) if host not in skip][:count]
        shuffled = rng.sample(near.tolist(), len(near))
        rest = min(count, passed) - len(near)
        if rest <= 0:
            return shuffled[:count]
        others = self.total.copy()
        others[near] = -np.inf
        top = np.argpartition(-others, rest - 1)[:rest]
        return shuffled + [int(host) for host in top[np.argsort(-others[top], kind="stable")]]

    def parts(self, host: int) -> dict[str, float]:
        """One host's score, by weigher."""
        return {span.weigher.name: span.part(host) for span in self.spans}

    def _weigh(self, passing: Bools) -> None:
        self.total = np.zeros(len(self.first))
        for span in self.spans:
            self.total += span.parts(slice(None))
        self.total[~passing] = -np.inf
        self._near = None

    def _copy_without(self, out: Positions) -> Ranking:
        other = copy(self)
        other.first, other.counts = self.first.copy(), self.counts.copy()
        other.first[out] = NAMED
        other.counts[PASSED] -= len(out)
        other.spans = [Span(span.weigher, span.raw, span.multiplier) for span in self.spans]
        passing = other.first == PASSED
        for span in other.spans:
            span.measure(passing)
        other._weigh(passing)  # noqa: SLF001 - one of us
        return other


def _first(fleet: Fleet, request: SchedulingRequest, profile: Profile) -> NDArray[np.uint8]:
    first = np.full(len(fleet), PASSED, np.uint8)
    for code, each in enumerate(profile.pure):
        mask = each.mask(fleet, request)
        if mask is not fleet.everyone:
            first[(first == PASSED) & ~mask] = code
    return first


def _raw(fleet: Fleet, request: SchedulingRequest, profile: Profile) -> dict[str, Floats]:
    """The figures of those weighers that are not personal and count."""
    return {
        weigher.name: weigher.score(fleet, request)
        for weigher, by in profile.weighers
        if not weigher.personal and (by or _is_overridden(fleet, weigher))
    }


def _is_overridden(fleet: Fleet, weigher: Weigher) -> bool:
    return bool(weigher.option) and any(
        weigher.option in aggregate.metadata for held in fleet.around.aggregates.values for aggregate in held
    )


def _multiplier(fleet: Fleet, weigher: Weigher, default: float) -> Multiplier:
    """The multiplier; a host's aggregates may set another for it, and the least of several counts, as in Nova."""
    if not _is_overridden(fleet, weigher):
        return default
    aggregates = fleet.around.aggregates
    by_value = [min(_said(held, weigher.option), default=default) for held in aggregates.values]
    multipliers: Floats = np.array(by_value, np.float64)[aggregates.codes]
    return multipliers


def _said(held: tuple[Aggregate, ...], option: str) -> list[float]:
    said = []
    for aggregate in held:
        with suppress(KeyError, ValueError):
            said.append(float(aggregate.metadata[option]))
    return said
