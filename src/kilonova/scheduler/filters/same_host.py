"""SameHostFilter and DifferentHostFilter: where these servers are, or where they are not, by hint."""

from __future__ import annotations

from typing import ClassVar

from kilonova.domain.boot import SchedulingRequest
from kilonova.scheduler.columns import Positions
from kilonova.scheduler.filters.named_hosts import places_of
from kilonova.scheduler.fleet import Fleet
from kilonova.scheduler.plugin import NamingFilter


class SameHostFilter(NamingFilter):
    """The hint `same_host` names servers; only the hosts that have one of them."""

    name: ClassVar = "SameHostFilter"

    def only(self, fleet: Fleet, request: SchedulingRequest) -> Positions | None:
        return _hosts_of(fleet, request, "same_host")

    def reason(self, fleet: Fleet, request: SchedulingRequest, removed: Positions) -> str:
        return "none of the servers named by same_host is on these"

    def lacks(self, fleet: Fleet, request: SchedulingRequest, host: int) -> str:
        return "one of the servers named by same_host"


class DifferentHostFilter(NamingFilter):
    """The hint `different_host` names servers; none of the hosts that have one of them."""

    name: ClassVar = "DifferentHostFilter"

    def but(self, fleet: Fleet, request: SchedulingRequest) -> Positions | None:
        return _hosts_of(fleet, request, "different_host")

    def reason(self, fleet: Fleet, request: SchedulingRequest, removed: Positions) -> str:
        return "servers named by different_host are on these"

    def lacks(self, fleet: Fleet, request: SchedulingRequest, host: int) -> str:
        return "distance: a server named by different_host is on it"


def _hosts_of(fleet: Fleet, request: SchedulingRequest, hint: str) -> Positions | None:
    """The hosts of the servers that a hint names, which the service has looked up; None without the hint."""
    return places_of(fleet, request.hosts_of_hints.get(hint, ())) if request.hints.get(hint) else None
