"""IoOpsFilter and its aggregate form: a cap on servers being built per host."""

from __future__ import annotations

from typing import ClassVar, Self

import numpy as np

from kilonova.domain.boot import SchedulingRequest
from kilonova.scheduler.columns import Bools, Ints, Positions
from kilonova.scheduler.filters.operators import least_of
from kilonova.scheduler.fleet import Fleet
from kilonova.scheduler.plugin import Filter
from kilonova.scheduler.settings import SchedulerSettings


class IoOpsFilter(Filter):
    """No host gets beyond the settings' `max_io_ops_per_host`."""

    name: ClassVar = "IoOpsFilter"

    def __init__(self, most: int) -> None:
        self._most = most

    @classmethod
    def made(cls, settings: SchedulerSettings) -> Self:
        return cls(settings.max_io_ops_per_host)

    def caps(self, fleet: Fleet) -> Ints:
        """The cap of each host."""
        return np.full(len(fleet), self._most, np.int64)

    def mask(self, fleet: Fleet, request: SchedulingRequest) -> Bools:
        passing: Bools = fleet.context.building < self.caps(fleet)
        return passing

    def reason(self, fleet: Fleet, request: SchedulingRequest, removed: Positions) -> str:
        return "these have as many servers being built as they may"

    def lacks(self, fleet: Fleet, request: SchedulingRequest, host: int) -> str:
        has, may = int(fleet.context.building[host]), int(self.caps(fleet)[host])
        return f"room for servers being built: it has {has} and may have {may}"


class AggregateIoOpsFilter(IoOpsFilter):
    """The same with the least `max_io_ops_per_host` of the host's aggregates, where one says it."""

    name: ClassVar = "AggregateIoOpsFilter"

    def caps(self, fleet: Fleet) -> Ints:
        return least_of(fleet, "max_io_ops_per_host", self._most)
