"""HypervisorVersionWeigher: prefer newer hypervisors."""

from __future__ import annotations

from typing import ClassVar

from kilonova.domain.boot import SchedulingRequest
from kilonova.scheduler.columns import Floats
from kilonova.scheduler.fleet import Fleet
from kilonova.scheduler.plugin import Weigher


class HypervisorVersionWeigher(Weigher):
    """The version in Nova's form."""

    name: ClassVar = "HypervisorVersionWeigher"
    option: ClassVar = "hypervisor_version_weight_multiplier"
    reads_request: ClassVar = False

    def score(self, fleet: Fleet, request: SchedulingRequest) -> Floats:
        figures: Floats = fleet.facts.figures(lambda facts: facts.hypervisor_version)
        return figures
