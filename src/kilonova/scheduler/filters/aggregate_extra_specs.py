"""AggregateInstanceExtraSpecsFilter: what the flavor asks of the host's aggregates."""

from __future__ import annotations

from typing import ClassVar

from kilonova.domain.aggregate import Aggregate
from kilonova.domain.boot import SchedulingRequest
from kilonova.scheduler.columns import Bools, Positions
from kilonova.scheduler.filters.operators import matches
from kilonova.scheduler.fleet import Fleet, words
from kilonova.scheduler.plugin import Filter

_SCOPE = "aggregate_instance_extra_specs:"


class AggregateInstanceExtraSpecsFilter(Filter):
    """Keys of the scope `aggregate_instance_extra_specs:`, and keys without one, must match the metadata of an aggregate."""

    name: ClassVar = "AggregateInstanceExtraSpecsFilter"

    def mask(self, fleet: Fleet, request: SchedulingRequest) -> Bools:
        specs = _specs(request)
        if not specs:
            return fleet.everyone
        return fleet.context.aggregates.where(lambda held: not _unmet(held, specs))

    def reason(self, fleet: Fleet, request: SchedulingRequest, removed: Positions) -> str:
        return words(said for held in fleet.context.aggregates.among(removed) for said in _unmet(held, _specs(request)))

    def lacks(self, fleet: Fleet, request: SchedulingRequest, host: int) -> str:
        return " and ".join(_unmet(fleet.context.aggregates.at(host), _specs(request)))


def _specs(request: SchedulingRequest) -> dict[str, str]:
    return {key: value for key, value in request.extra_specs.items() if ":" not in key or key.startswith(_SCOPE)}


def _unmet(held: tuple[Aggregate, ...], specs: dict[str, str]) -> list[str]:
    """What no aggregate of these meets, in words."""
    said = []
    for key, wanted in specs.items():
        plain = key.removeprefix(_SCOPE)
        values = {part.strip() for one in held for part in one.metadata.get(plain, "").split(",") if part.strip()}
        if not any(matches(value, wanted) for value in values):
            said.append(f"an aggregate with {plain} {wanted}")
    return said
