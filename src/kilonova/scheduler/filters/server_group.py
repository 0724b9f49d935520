"""Server groups: keep a group's servers together, or apart. Each reads the group's counters per host, and rescans nothing."""

from __future__ import annotations

from typing import ClassVar

from kilonova.domain.boot import SchedulingRequest
from kilonova.scheduler.columns import Positions
from kilonova.scheduler.fleet import Fleet, Group
from kilonova.scheduler.plugin import NamingFilter


class ServerGroupAntiAffinityFilter(NamingFilter):
    """No host gets more of the group's servers than the group's rule allows, one when it has none."""

    name: ClassVar = "ServerGroupAntiAffinityFilter"

    def but(self, fleet: Fleet, request: SchedulingRequest) -> Positions | None:
        group = group_of(fleet, request, "anti-affinity")
        return None if group is None else group.hosts[group.counts >= group.max_per_host]

    def reason(self, fleet: Fleet, request: SchedulingRequest, removed: Positions) -> str:
        return "the server's group keeps its servers apart, and these have as many of them as they may"

    def lacks(self, fleet: Fleet, request: SchedulingRequest, host: int) -> str:
        return "distance: it already has servers of the same anti-affinity group"


class ServerGroupAffinityFilter(NamingFilter):
    """Only the hosts that have the group's servers; any, for its first."""

    name: ClassVar = "ServerGroupAffinityFilter"

    def only(self, fleet: Fleet, request: SchedulingRequest) -> Positions | None:
        group = group_of(fleet, request, "affinity")
        return group.hosts if group is not None and len(group.hosts) else None

    def reason(self, fleet: Fleet, request: SchedulingRequest, removed: Positions) -> str:
        return "the server's group keeps its servers together, and these have none of them"

    def lacks(self, fleet: Fleet, request: SchedulingRequest, host: int) -> str:
        return "a server of the same affinity group"


def group_of(fleet: Fleet, request: SchedulingRequest, policy: str) -> Group | None:
    """The group the hints name, when it is of this policy."""
    if not request.hints:
        return None
    hint = request.hints.get("group", "")
    name = hint if isinstance(hint, str) else next(iter(hint), "")
    group = fleet.groups.get(name)
    return group if group is not None and group.policy == policy else None
