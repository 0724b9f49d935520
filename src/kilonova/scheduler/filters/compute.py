"""ComputeFilter: the host's compute service is enabled and alive."""

from __future__ import annotations

from typing import ClassVar

from kilonova.domain.boot import SchedulingRequest
from kilonova.domain.host import ALIVE_WITHIN_S
from kilonova.scheduler.columns import Bools, Positions
from kilonova.scheduler.fleet import Fleet
from kilonova.scheduler.plugin import Filter


class ComputeFilter(Filter):
    """Enabled by its operator, not forced down, and heard of lately."""

    name: ClassVar = "ComputeFilter"

    def mask(self, fleet: Fleet, request: SchedulingRequest) -> Bools:
        return fleet.enabled & fleet.up

    def reason(self, fleet: Fleet, request: SchedulingRequest, removed: Positions) -> str:
        disabled = int((~fleet.enabled[removed]).sum())
        down = len(removed) - disabled
        said = [f"{disabled} disabled"] * (disabled > 0)
        said += [f"{down} down (not heard of for {ALIVE_WITHIN_S} s, or forced down)"] * (down > 0)
        return ", ".join(said)

    def lacks(self, fleet: Fleet, request: SchedulingRequest, host: int) -> str:
        return "a compute service that is up" if fleet.enabled[host] else "a compute service that is enabled"
