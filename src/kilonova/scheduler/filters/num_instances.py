"""NumInstancesFilter and its aggregate form: a cap on servers per host."""

from __future__ import annotations

from typing import ClassVar, Self

import numpy as np

from kilonova.domain.boot import SchedulingRequest
from kilonova.scheduler.columns import Bools, Ints, Positions
from kilonova.scheduler.filters.operators import least_of
from kilonova.scheduler.fleet import SERVERS, Fleet
from kilonova.scheduler.plugin import Filter
from kilonova.scheduler.settings import SchedulerSettings


class NumInstancesFilter(Filter):
    """No host gets beyond the settings' `max_instances_per_host`."""

    name: ClassVar = "NumInstancesFilter"

    def __init__(self, most: int) -> None:
        self._most = most

    @classmethod
    def made(cls, settings: SchedulerSettings) -> Self:
        return cls(settings.max_instances_per_host)

    def caps(self, fleet: Fleet) -> Ints:
        """The cap of each host."""
        return np.full(len(fleet), self._most, np.int64)

    def mask(self, fleet: Fleet, request: SchedulingRequest) -> Bools:
        passing: Bools = fleet.use[SERVERS] < self.caps(fleet)
        return passing

    def reason(self, fleet: Fleet, request: SchedulingRequest, removed: Positions) -> str:
        return "these have as many servers as they may"

    def lacks(self, fleet: Fleet, request: SchedulingRequest, host: int) -> str:
        return f"room for servers: it has {int(fleet.use[SERVERS][host])} and may have {int(self.caps(fleet)[host])}"


class AggregateNumInstancesFilter(NumInstancesFilter):
    """The same with the least `max_instances_per_host` of the host's aggregates, where one says it."""

    name: ClassVar = "AggregateNumInstancesFilter"

    def caps(self, fleet: Fleet) -> Ints:
        return least_of(fleet, "max_instances_per_host", self._most)
