"""The hosts a request names: the one it must have, and those it must not."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

import numpy as np

from kilonova.domain.boot import SchedulingRequest
from kilonova.scheduler.columns import Positions
from kilonova.scheduler.fleet import Fleet
from kilonova.scheduler.plugin import NamingFilter


class ForcedHostFilter(NamingFilter):
    """Only the host that was asked for. The other filters still have their say, for the claim would refuse it too."""

    name: ClassVar = "ForcedHostFilter"

    def only(self, fleet: Fleet, request: SchedulingRequest) -> Positions | None:
        return None if request.forced_host is None else places_of(fleet, [request.forced_host])

    def reason(self, fleet: Fleet, request: SchedulingRequest, removed: Positions) -> str:
        is_there = request.forced_host in fleet.roster.by_name
        return "another host was asked for by name" + ("" if is_there else ", which is not there")

    def lacks(self, fleet: Fleet, request: SchedulingRequest, host: int) -> str:
        return "the name that was asked for"


class ExcludedHostsFilter(NamingFilter):
    """None of the hosts that failed this server before, or that the request rules out."""

    name: ClassVar = "ExcludedHostsFilter"

    def but(self, fleet: Fleet, request: SchedulingRequest) -> Positions | None:
        return places_of(fleet, request.excluded_hosts) if request.excluded_hosts else None

    def reason(self, fleet: Fleet, request: SchedulingRequest, removed: Positions) -> str:
        return "tried before, or not wanted"

    def lacks(self, fleet: Fleet, request: SchedulingRequest, host: int) -> str:
        return "a second chance: it was tried before, or is not wanted"


def places_of(fleet: Fleet, names: Iterable[str]) -> Positions:
    """The hosts of these names that are there, each once."""
    known = {fleet.roster.by_name[name] for name in names if name in fleet.roster.by_name}
    return np.array(sorted(known), np.intp)
