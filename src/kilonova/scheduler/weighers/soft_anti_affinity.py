"""ServerGroupSoftAntiAffinityWeigher: the wish of soft-anti-affinity groups."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from kilonova.domain.boot import SchedulingRequest
from kilonova.scheduler.columns import Floats
from kilonova.scheduler.filters.server_group import group_of
from kilonova.scheduler.fleet import Fleet
from kilonova.scheduler.plugin import Weigher


class ServerGroupSoftAntiAffinityWeigher(Weigher):
    """The fewer of the group's servers, the better."""

    name: ClassVar = "ServerGroupSoftAntiAffinityWeigher"
    option: ClassVar = "soft_anti_affinity_weight_multiplier"
    personal: ClassVar = True

    def applies(self, fleet: Fleet, request: SchedulingRequest) -> bool:
        return group_of(fleet, request, "soft-anti-affinity") is not None

    def score(self, fleet: Fleet, request: SchedulingRequest) -> Floats:
        figures: Floats = np.zeros(len(fleet))
        group = group_of(fleet, request, "soft-anti-affinity")
        if group is not None:
            figures[group.hosts] = -group.counts
        return figures
