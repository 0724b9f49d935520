"""TraitsFilter: the traits that the flavor and the image require or forbid. What Placement does before Nova's filters."""

from __future__ import annotations

from typing import ClassVar

from kilonova.domain.boot import SchedulingRequest
from kilonova.scheduler.columns import Bools, Positions
from kilonova.scheduler.filters.features import traits_of_features
from kilonova.scheduler.fleet import Fleet, words
from kilonova.scheduler.plugin import Filter


class TraitsFilter(Filter):
    """`trait:NAME` is `required` or `forbidden`, and features require theirs; a host has a bit for each trait."""

    name: ClassVar = "TraitsFilter"

    def mask(self, fleet: Fleet, request: SchedulingRequest) -> Bools:
        passing = fleet.everyone
        for name, wanted in _wanted(request):
            passing = passing & (fleet.traits.has(name) == wanted)
        return passing

    def reason(self, fleet: Fleet, request: SchedulingRequest, removed: Positions) -> str:
        return words(_said(fleet, request, removed))

    def lacks(self, fleet: Fleet, request: SchedulingRequest, host: int) -> str:
        return " and ".join(_said(fleet, request, slice(host, host + 1)))


def _wanted(request: SchedulingRequest) -> list[tuple[str, bool]]:
    said = [*request.extra_specs.items(), *request.image_properties.items()]
    named = [(key.removeprefix("trait:"), value == "required") for key, value in said if key.startswith("trait:")]
    return named + [(name, True) for name in traits_of_features(request)] if said else named


def _said(fleet: Fleet, request: SchedulingRequest, hosts: slice | Positions) -> list[str]:
    """What some of the hosts do not meet, in words."""
    return [
        f"{'' if wanted else 'the absence of '}trait {name}"
        for name, wanted in _wanted(request)
        if (fleet.traits.has(name)[hosts] != wanted).any()
    ]
