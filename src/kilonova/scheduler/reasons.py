"""What is said of a decision's filters, kept as long as it stays true: a burst of one shape says the same many times."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from kilonova.domain.boot import SchedulingRequest
from kilonova.domain.placement import FilterStep
from kilonova.scheduler.columns import Ints, Positions
from kilonova.scheduler.fleet import Fleet
from kilonova.scheduler.plugin import Filter

PASSED, NAMED = 255, 254  # NAMED: removed by a filter that names hosts
_NOBODY: Ints = np.zeros(PASSED + 1, np.int64)


class Removals(NamedTuple):
    """Who removed whom: `first` per host, by the filter's place, and `counts` of each."""

    first: NDArray[np.uint8]
    counts: Ints
    fleet: Fleet
    request: SchedulingRequest


class Reasons:
    """The steps of one ranking."""

    def __init__(self, filters: Sequence[Filter]) -> None:
        self._filters = filters
        self._reasons: dict[int, str] = {}
        self._steps: tuple[FilterStep, ...] | None = None

    def forget(self, codes: Iterable[int]) -> None:
        """Filters of these places remove others than before."""
        self._steps = None
        for code in set(codes):
            self._reasons.pop(code, None)

    def steps(self, removals: Removals, left: int, but: Positions) -> tuple[FilterStep, ...]:
        """What each filter did with the `left` hosts, up to the one that left none; those of `but` were removed before."""
        if len(but):
            return tuple(self._filter_steps(removals, left, but))
        if self._steps is None:
            self._steps = tuple(self._filter_steps(removals, left, but))
        return self._steps

    def _filter_steps(self, removals: Removals, left: int, but: Positions) -> Iterable[FilterStep]:
        gone = np.bincount(removals.first[but], minlength=PASSED + 1) if len(but) else _NOBODY
        for code, each in enumerate(self._filters):
            if not left:
                return
            removed = int(removals.counts[code] - gone[code])
            reason = self._reason(code, removals, but if gone[code] else None) if removed else ""
            yield FilterStep(name=each.name, before=left, removed=removed, reason=reason)
            left -= removed

    def _reason(self, code: int, removals: Removals, but: Positions | None) -> str:
        if but is None and code in self._reasons:
            return self._reasons[code]
        hosts = np.flatnonzero(removals.first == code)
        if but is not None:
            return self._filters[code].reason(removals.fleet, removals.request, np.setdiff1d(hosts, but))
        self._reasons[code] = self._filters[code].reason(removals.fleet, removals.request, hosts)
        return self._reasons[code]
