"""AllHostsFilter: passes every host."""

from __future__ import annotations

from typing import ClassVar

from kilonova.domain.boot import SchedulingRequest
from kilonova.scheduler.columns import Bools, Positions
from kilonova.scheduler.fleet import Fleet
from kilonova.scheduler.plugin import Filter


class AllHostsFilter(Filter):
    """For who wants no filter at all."""

    name: ClassVar = "AllHostsFilter"

    def mask(self, fleet: Fleet, request: SchedulingRequest) -> Bools:
        return fleet.everyone

    def reason(self, fleet: Fleet, request: SchedulingRequest, removed: Positions) -> str:
        return ""

    def lacks(self, fleet: Fleet, request: SchedulingRequest, host: int) -> str:
        return ""
