"""ResourceFilter: the host has room. What Placement does before Nova's filters."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from kilonova.domain.boot import SchedulingRequest
from kilonova.scheduler.columns import Bools, Floats, Positions
from kilonova.scheduler.fleet import DISK, RAM, VCPUS, Fleet
from kilonova.scheduler.plugin import Filter

_UNITS = {VCPUS: "vCPUs", RAM: "MiB RAM", DISK: "GiB disk"}


class ResourceFilter(Filter):
    """Room for the flavor's vCPUs, RAM and disk: the claim's own rule, ratios, reserves and the host's size included."""

    name: ClassVar = "ResourceFilter"

    def mask(self, fleet: Fleet, request: SchedulingRequest) -> Bools:
        passing = fleet.everyone
        for resource, wanted in _wanted(request):
            passing = passing & (fleet.free(resource) >= wanted)
        return passing

    def reason(self, fleet: Fleet, request: SchedulingRequest, removed: Positions) -> str:
        short = []
        for resource, wanted in _wanted(request):
            most = int(fleet.free(resource, removed).max())
            if most < wanted:
                short.append(f"needs {wanted} {_UNITS[resource]}, the most free is {most}")
        if short:
            return "; ".join(short)
        needs = ", ".join(f"{wanted} {_UNITS[resource]}" for resource, wanted in _wanted(request))
        return f"needs {needs} together: each is free somewhere, nowhere all"

    def lacks(self, fleet: Fleet, request: SchedulingRequest, host: int) -> str:
        short = [(wanted - int(fleet.free(resource)[host]), _UNITS[resource]) for resource, wanted in _wanted(request)]
        return " and ".join(f"{missing} {unit}" for missing, unit in short if missing > 0)

    def distance(self, fleet: Fleet, request: SchedulingRequest) -> Floats:
        worst = np.zeros(len(fleet))
        for resource, wanted in _wanted(request):
            missing = np.maximum(wanted - fleet.free(resource), 0)
            worst = np.maximum(worst, missing / np.maximum(missing, max(wanted, 1)))
        return worst


def _wanted(request: SchedulingRequest) -> tuple[tuple[int, int], ...]:
    return (VCPUS, request.vcpus), (RAM, request.ram_mib), (DISK, request.disk_gib)
