"""IsolatedAggregatesFilter: aggregates that are for servers of some traits only. Nova has Placement do it, when asked to."""

from __future__ import annotations

from typing import ClassVar

from kilonova.domain.aggregate import Aggregate
from kilonova.domain.boot import SchedulingRequest
from kilonova.scheduler.columns import Bools, Positions
from kilonova.scheduler.fleet import Fleet
from kilonova.scheduler.plugin import Filter


class IsolatedAggregatesFilter(Filter):
    """`trait:NAME=required` of an aggregate: its hosts take only servers whose flavor or image requires that trait too."""

    name: ClassVar = "IsolatedAggregatesFilter"

    def mask(self, fleet: Fleet, request: SchedulingRequest) -> Bools:
        required = _required(request.extra_specs) | _required(request.image_properties)
        return fleet.context.aggregates.where(lambda held: not _missing(held, required))

    def reason(self, fleet: Fleet, request: SchedulingRequest, removed: Positions) -> str:
        return "their aggregates are for servers that require traits which this one does not"

    def lacks(self, fleet: Fleet, request: SchedulingRequest, host: int) -> str:
        required = _required(request.extra_specs) | _required(request.image_properties)
        return f"a server that requires {', '.join(sorted(_missing(fleet.context.aggregates.at(host), required)))}"


def _required(said: dict[str, str]) -> set[str]:
    return {key for key, value in said.items() if key.startswith("trait:") and value == "required"}


def _missing(held: tuple[Aggregate, ...], required: set[str]) -> set[str]:
    return {key for one in held for key in _required(one.metadata)} - required
