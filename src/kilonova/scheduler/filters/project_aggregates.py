"""ProjectAggregatesFilter: projects that have aggregates of their own. Nova has Placement do it, when it is switched on."""

from __future__ import annotations

from typing import ClassVar

from kilonova.domain.aggregate import Aggregate
from kilonova.domain.boot import SchedulingRequest
from kilonova.scheduler.columns import Bools, Positions
from kilonova.scheduler.fleet import Fleet
from kilonova.scheduler.plugin import Filter


class ProjectAggregatesFilter(Filter):
    """
    A project that a host's aggregate names by `filter_tenant_id` gets hosts of such aggregates and no others.

    It keeps a project on its hosts; AggregateMultiTenancyIsolation keeps other projects off them.
    """

    name: ClassVar = "ProjectAggregatesFilter"

    def mask(self, fleet: Fleet, request: SchedulingRequest) -> Bools:
        if not any(_name(held, request.project_id) for held in fleet.context.aggregates.values):
            return fleet.everyone
        return fleet.context.aggregates.where(lambda held: _name(held, request.project_id))

    def reason(self, fleet: Fleet, request: SchedulingRequest, removed: Positions) -> str:
        return "the project has aggregates of its own, and these are in none of them"

    def lacks(self, fleet: Fleet, request: SchedulingRequest, host: int) -> str:
        return "a place in an aggregate of this project"


def _name(held: tuple[Aggregate, ...], project_id: str) -> bool:
    return any(
        project_id in {part.strip() for part in value.split(",")}
        for one in held
        for key, value in one.metadata.items()
        if key.startswith("filter_tenant_id")
    )
