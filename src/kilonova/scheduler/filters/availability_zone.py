"""AvailabilityZoneFilter: the host is in the zone that was asked for."""

from __future__ import annotations

from typing import ClassVar

from kilonova.domain.boot import SchedulingRequest
from kilonova.scheduler.columns import Bools, Positions
from kilonova.scheduler.fleet import Fleet, words
from kilonova.scheduler.plugin import Filter


class AvailabilityZoneFilter(Filter):
    """Passes all when no zone was asked for."""

    name: ClassVar = "AvailabilityZoneFilter"

    def mask(self, fleet: Fleet, request: SchedulingRequest) -> Bools:
        if request.availability_zone is None:
            return fleet.everyone
        return fleet.zones.where(lambda zone: zone == request.availability_zone)

    def reason(self, fleet: Fleet, request: SchedulingRequest, removed: Positions) -> str:
        return f"not in zone {request.availability_zone} but in {words(fleet.zones.among(removed))}"

    def lacks(self, fleet: Fleet, request: SchedulingRequest, host: int) -> str:
        return f"a place in zone {request.availability_zone} (it is in {fleet.zones.at(host)})"
