"""ServerGroupSoftAffinityWeigher: the wish of soft-affinity groups."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from kilonova.domain.boot import SchedulingRequest
from kilonova.scheduler.columns import Floats
from kilonova.scheduler.filters.server_group import group_of
from kilonova.scheduler.fleet import Fleet
from kilonova.scheduler.plugin import Weigher


class ServerGroupSoftAffinityWeigher(Weigher):
    """The more of the group's servers, the better."""

    name: ClassVar = "ServerGroupSoftAffinityWeigher"
    option: ClassVar = "soft_affinity_weight_multiplier"
    personal: ClassVar = True
    policy: ClassVar = "soft-affinity"

    def applies(self, fleet: Fleet, request: SchedulingRequest) -> bool:
        return group_of(fleet, request, self.policy) is not None

    def score(self, fleet: Fleet, request: SchedulingRequest) -> Floats:
        figures: Floats = np.zeros(len(fleet))
        group = group_of(fleet, request, self.policy)
        if group is not None:
            figures[group.hosts] = group.counts
        return figures
