"""AggregateTypeAffinityFilter: aggregates that are for some flavors only."""

from __future__ import annotations

from typing import ClassVar

from kilonova.domain.aggregate import Aggregate
from kilonova.domain.boot import SchedulingRequest
from kilonova.scheduler.columns import Bools, Positions
from kilonova.scheduler.fleet import Fleet
from kilonova.scheduler.plugin import Filter


class AggregateTypeAffinityFilter(Filter):
    """`instance_type` names the flavors that may, by comma; of several that say it one suffices, and none is for all."""

    name: ClassVar = "AggregateTypeAffinityFilter"

    def mask(self, fleet: Fleet, request: SchedulingRequest) -> Bools:
        return fleet.context.aggregates.where(lambda held: _may(held, request.flavor_name))

    def reason(self, fleet: Fleet, request: SchedulingRequest, removed: Positions) -> str:
        return f"their aggregates are for other flavors than {request.flavor_name}"

    def lacks(self, fleet: Fleet, request: SchedulingRequest, host: int) -> str:
        return f"an aggregate that is for flavor {request.flavor_name}"


def _may(held: tuple[Aggregate, ...], flavor: str) -> bool:
    said = [one.metadata["instance_type"] for one in held if "instance_type" in one.metadata]
    return not said or any(flavor in {part.strip() for part in names.split(",")} for names in said)
