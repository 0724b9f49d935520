"""MetricsFilter: the host reports every metric that the settings weigh."""

from __future__ import annotations

from typing import ClassVar, Self

from kilonova.domain.boot import SchedulingRequest
from kilonova.domain.host import HostFacts
from kilonova.scheduler.columns import Bools, Positions
from kilonova.scheduler.fleet import Fleet, words
from kilonova.scheduler.plugin import Filter
from kilonova.scheduler.settings import SchedulerSettings


class MetricsFilter(Filter):
    """Metrics are free facts (`stats`) that are numbers."""

    name: ClassVar = "MetricsFilter"

    def __init__(self, wanted: tuple[str, ...]) -> None:
        self._wanted = wanted

    @classmethod
    def made(cls, settings: SchedulerSettings) -> Self:
        return cls(tuple(settings.metrics))

    def mask(self, fleet: Fleet, request: SchedulingRequest) -> Bools:
        if not self._wanted:
            return fleet.everyone
        return fleet.facts.where(lambda facts: all(number_of(facts, name) is not None for name in self._wanted))

    def reason(self, fleet: Fleet, request: SchedulingRequest, removed: Positions) -> str:
        return f"these do not report all of {words(self._wanted)}"

    def lacks(self, fleet: Fleet, request: SchedulingRequest, host: int) -> str:
        missing = [name for name in self._wanted if number_of(fleet.facts.at(host), name) is None]
        return f"a report of {words(missing)}"


def number_of(facts: HostFacts, name: str) -> float | None:
    """A metric that a host reports; None when it does not, or no number."""
    try:
        return float(facts.stats[name])
    except (KeyError, ValueError):
        return None
