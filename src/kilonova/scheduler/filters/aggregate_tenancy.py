"""AggregateMultiTenancyIsolation: aggregates that are for some projects only."""

from __future__ import annotations

from typing import ClassVar

from kilonova.domain.aggregate import Aggregate
from kilonova.domain.boot import SchedulingRequest
from kilonova.scheduler.columns import Bools, Positions
from kilonova.scheduler.fleet import Fleet
from kilonova.scheduler.plugin import Filter


class AggregateMultiTenancyIsolation(Filter):
    """`filter_tenant_id`, or any key that begins so, names the projects that may; an aggregate without one is for all."""

    name: ClassVar = "AggregateMultiTenancyIsolation"

    def mask(self, fleet: Fleet, request: SchedulingRequest) -> Bools:
        return fleet.context.aggregates.where(lambda held: _may(held, request.project_id))

    def reason(self, fleet: Fleet, request: SchedulingRequest, removed: Positions) -> str:
        return "their aggregates are for other projects"

    def lacks(self, fleet: Fleet, request: SchedulingRequest, host: int) -> str:
        return "an aggregate that is for this project"


def _may(held: tuple[Aggregate, ...], project_id: str) -> bool:
    projects = {
        part.strip()
        for one in held
        for key, value in one.metadata.items()
        if key.startswith("filter_tenant_id")
        for part in value.split(",")
    }
    return not projects or project_id in projects
