"""NUMATopologyFilter: the host has the NUMA cells that the flavor or image asks for."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from kilonova.domain.boot import SchedulingRequest
from kilonova.scheduler.columns import Bools, Positions
from kilonova.scheduler.fleet import Fleet
from kilonova.scheduler.plugin import Filter


class NUMATopologyFilter(Filter):
    """Hosts report how many cells they have, and nothing free by cell: pinning and huge pages are refused with that reason."""

    name: ClassVar = "NUMATopologyFilter"

    def mask(self, fleet: Fleet, request: SchedulingRequest) -> Bools:
        cells, exact = _wanted(request)
        if exact:
            return np.zeros(len(fleet), np.bool_)
        if not cells:
            return fleet.everyone
        return fleet.facts.where(lambda facts: facts.cpu_topology.get("cells", 0) >= cells)

    def reason(self, fleet: Fleet, request: SchedulingRequest, removed: Positions) -> str:
        return f"these lack {self.lacks(fleet, request, int(removed[0]))}"

    def lacks(self, fleet: Fleet, request: SchedulingRequest, host: int) -> str:
        cells, exact = _wanted(request)
        if exact:
            return f"a report of its CPUs and pages by NUMA cell, which {exact} needs"
        return f"{cells} NUMA cells"


def _wanted(request: SchedulingRequest) -> tuple[int, str]:
    """How many cells, 0 when nothing is said; and what is asked that cannot be known to fit."""
    said = {
        key.replace("hw:", "hw_", 1): value for key, value in request.extra_specs.items()
    } | request.image_properties
    exact = [key for key, plain in _PLAIN.items() if said.get(key, plain[0]) not in plain]
    cells = said.get("hw_numa_nodes", "0")
    return int(cells) if cells.isdecimal() else 0, ", ".join(exact)


_PLAIN = {"hw_cpu_policy": ("shared",), "hw_mem_page_size": ("any", "small")}  # what any host can do
