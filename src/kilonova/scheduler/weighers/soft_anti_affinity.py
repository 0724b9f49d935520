"""ServerGroupSoftAntiAffinityWeigher: the wish of soft-anti-affinity groups."""

from __future__ import annotations

from typing import ClassVar

from kilonova.domain.boot import SchedulingRequest
from kilonova.scheduler.columns import Floats
from kilonova.scheduler.fleet import Fleet
from kilonova.scheduler.weighers.soft_affinity import ServerGroupSoftAffinityWeigher


class ServerGroupSoftAntiAffinityWeigher(ServerGroupSoftAffinityWeigher):
    """The fewer of the group's servers, the better."""

    name: ClassVar = "ServerGroupSoftAntiAffinityWeigher"
    option: ClassVar = "soft_anti_affinity_weight_multiplier"
    policy: ClassVar = "soft-anti-affinity"

    def score(self, fleet: Fleet, request: SchedulingRequest) -> Floats:
        return -super().score(fleet, request)
