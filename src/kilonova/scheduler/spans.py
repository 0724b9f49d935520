"""A weigher's figures as scores: between the worst and the best host that pass, from 0 to the weigher's multiplier."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import TypeAlias

import numpy as np

from kilonova.domain.aggregate import Aggregate
from kilonova.scheduler.columns import Floats, Positions
from kilonova.scheduler.fleet import Fleet
from kilonova.scheduler.plugin import Weigher

Multiplier: TypeAlias = float | Floats


class Span:
    """
    One weigher's figures of all hosts, and what the extremes are among those that pass.

    Of each extreme one host that is at it is remembered: while that one stays, and nobody is beyond, the extreme stays, and
    nothing has to be counted. The figures may be shared with other spans, so nothing here writes them.
    """

    def __init__(self, weigher: Weigher, raw: Floats, multiplier: Multiplier) -> None:
        self.weigher, self.raw, self.multiplier = weigher, raw, multiplier
        self.low = self.high = 0.0
        self.lowest = self.highest = -1  # the hosts that are remembered
        self._factor: Multiplier = 0.0  # of a figure's distance from the lowest

    def measure(self, passing: Positions) -> bool:
        """Find the extremes among these hosts. Whether they differ from what they were."""
        before = self.low, self.high
        if len(passing):
            among = self.raw.take(passing)
            low, high = among.argmin(), among.argmax()
            self.low, self.high = float(among[low]), float(among[high])
            self.lowest, self.highest = int(passing[low]), int(passing[high])
            self._factor = self.multiplier / (self.high - self.low) if self.high > self.low else 0.0
        return (self.low, self.high) != before

    def parts(self, hosts: Positions | slice) -> Floats:
        """The scores of some hosts: from 0 for the worst to the multiplier for the best; 0 for all when all are alike."""
        by = self._factor if isinstance(self._factor, float) else self._factor[hosts]
        scores: Floats = (self.raw[hosts] - self.low) * by
        return scores

    def part(self, host: int) -> float:
        """The score of one host."""
        by = self._factor if isinstance(self._factor, float) else self._factor.item(host)
        return float((self.raw.item(host) - self.low) * by)

    def outlives(self, leaving: Positions) -> bool:
        """Whether the extremes stay for sure when these hosts are gone."""
        return not bool(((leaving == self.lowest) | (leaving == self.highest)).any())

    def holds(self, changed: Positions, is_in: Callable[[int], bool]) -> bool:
        """Whether the extremes stay for sure when figures of these hosts, which pass, have changed; `is_in`: a host passes."""
        figures = self.raw[changed]
        if len(changed) and (figures.min() < self.low or figures.max() > self.high):
            return False
        ends = (self.lowest, self.low), (self.highest, self.high)
        return all(is_in(host) and self.raw.item(host) == figure for host, figure in ends)


def is_flat(figures: Floats) -> bool:
    """Whether all hosts, if there are any, have one figure; known without looking of one that is only repeated."""
    if not len(figures) or figures[0] != figures[-1]:
        return False
    return figures.strides == (0,) or bool(figures.min() == figures.max())


def is_overridden(fleet: Fleet, weigher: Weigher) -> bool:
    """Whether an aggregate sets another multiplier for its hosts."""
    return bool(weigher.option) and any(
        weigher.option in aggregate.metadata for held in fleet.context.aggregates.values for aggregate in held
    )


def multiplier_of(fleet: Fleet, weigher: Weigher, default: float) -> Multiplier:
    """The multiplier; a host's aggregates may set another for it, and the least of several counts, as in Nova."""
    if not is_overridden(fleet, weigher):
        return default
    aggregates = fleet.context.aggregates
    by_value = [min(_option_values(held, weigher.option), default=default) for held in aggregates.values]
    multipliers: Floats = np.array(by_value, np.float64)[aggregates.codes]
    return multipliers


def _option_values(held: tuple[Aggregate, ...], option: str) -> list[float]:
    said = []
    for aggregate in held:
        with suppress(KeyError, ValueError):
            said.append(float(aggregate.metadata[option]))
    return said
