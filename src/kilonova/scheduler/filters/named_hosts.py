"""The hosts a request names: the one it must have, and those it must not."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from kilonova.domain.boot import SchedulingRequest
from kilonova.scheduler.columns import Bools, Positions
from kilonova.scheduler.fleet import Fleet, words
from kilonova.scheduler.plugin import Filter


class ForcedHostFilter(Filter):
    """Only the host that was asked for. The other filters still have their say, for the claim would refuse it too."""

    name: ClassVar = "ForcedHostFilter"

    def mask(self, fleet: Fleet, request: SchedulingRequest) -> Bools:
        if request.forced_host is None:
            return fleet.everyone
        passing = np.zeros(len(fleet), np.bool_)
        host = fleet.roster.by_name.get(request.forced_host)
        if host is not None:
            passing[host] = True
        return passing

    def reason(self, fleet: Fleet, request: SchedulingRequest, removed: Positions) -> str:
        known = "" if request.forced_host in fleet.roster.by_name else ", which is not there"
        return f"host {request.forced_host} was asked for{known}"

    def lacks(self, fleet: Fleet, request: SchedulingRequest, host: int) -> str:
        return f"the name {request.forced_host}, which was asked for"


class ExcludedHostsFilter(Filter):
    """None of the hosts that failed this server before, or that the request rules out."""

    name: ClassVar = "ExcludedHostsFilter"

    def mask(self, fleet: Fleet, request: SchedulingRequest) -> Bools:
        named = [fleet.roster.by_name[name] for name in request.excluded_hosts if name in fleet.roster.by_name]
        if not named:
            return fleet.everyone
        passing = fleet.everyone.copy()
        passing[named] = False
        return passing

    def reason(self, fleet: Fleet, request: SchedulingRequest, removed: Positions) -> str:
        return f"{words(fleet.roster.names[host] for host in removed)} ruled out: tried before, or not wanted"

    def lacks(self, fleet: Fleet, request: SchedulingRequest, host: int) -> str:
        return "a second chance: it was tried before, or is not wanted"
