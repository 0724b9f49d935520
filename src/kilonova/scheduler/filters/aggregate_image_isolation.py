"""AggregateImagePropertiesIsolation: aggregates that name image properties take only images that match."""

from __future__ import annotations

from typing import ClassVar

from kilonova.domain.aggregate import Aggregate
from kilonova.domain.boot import SchedulingRequest
from kilonova.scheduler.columns import Bools, Positions
from kilonova.scheduler.fleet import Fleet
from kilonova.scheduler.plugin import Filter


class AggregateImagePropertiesIsolation(Filter):
    """A host in such an aggregate takes an image only when the properties that both name agree."""

    name: ClassVar = "AggregateImagePropertiesIsolation"

    def mask(self, fleet: Fleet, request: SchedulingRequest) -> Bools:
        return fleet.context.aggregates.where(lambda held: _agrees(held, request.image_properties))

    def reason(self, fleet: Fleet, request: SchedulingRequest, removed: Positions) -> str:
        return "their aggregates are for images of other properties"

    def lacks(self, fleet: Fleet, request: SchedulingRequest, host: int) -> str:
        return "an aggregate that agrees with the image's properties"


def _agrees(held: tuple[Aggregate, ...], properties: dict[str, str]) -> bool:
    said: dict[str, set[str]] = {}
    for one in held:
        for key, value in one.metadata.items():
            said.setdefault(key, set()).update(part.strip() for part in value.split(","))
    return all(properties[key] in values for key, values in said.items() if key in properties)
