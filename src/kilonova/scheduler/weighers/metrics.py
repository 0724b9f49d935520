"""MetricsWeigher: by what hosts report, with the weights of the settings."""

from __future__ import annotations

from typing import ClassVar, Self

from kilonova.domain.boot import SchedulingRequest
from kilonova.scheduler.columns import Floats
from kilonova.scheduler.filters.metrics import number_of
from kilonova.scheduler.fleet import Fleet
from kilonova.scheduler.plugin import Weigher
from kilonova.scheduler.settings import SchedulerSettings


class MetricsWeigher(Weigher):
    """The weighted sum of metrics; one that is not reported counts 0."""

    name: ClassVar = "MetricsWeigher"
    option: ClassVar = "metrics_weight_multiplier"
    reads_request: ClassVar = False

    def __init__(self, weights: dict[str, float]) -> None:
        self._weights = tuple(weights.items())

    @classmethod
    def made(cls, settings: SchedulerSettings) -> Self:
        return cls(settings.metrics)

    def score(self, fleet: Fleet, request: SchedulingRequest) -> Floats:
        figures: Floats = fleet.facts.figures(
            lambda facts: sum(by * (number_of(facts, name) or 0.0) for name, by in self._weights)
        )
        return figures
