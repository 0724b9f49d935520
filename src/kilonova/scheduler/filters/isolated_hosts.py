"""IsolatedHostsFilter: listed images only on listed hosts."""

from __future__ import annotations

from typing import ClassVar, Self

import numpy as np

from kilonova.domain.boot import SchedulingRequest
from kilonova.scheduler.columns import Bools, Positions
from kilonova.scheduler.fleet import Fleet
from kilonova.scheduler.plugin import Filter
from kilonova.scheduler.settings import SchedulerSettings


class IsolatedHostsFilter(Filter):
    """And other images not on those, unless the settings allow it."""

    name: ClassVar = "IsolatedHostsFilter"

    def __init__(self, settings: SchedulerSettings) -> None:
        self._images, self._hosts = frozenset(settings.isolated_images), frozenset(settings.isolated_hosts)
        self._strict = settings.restrict_isolated_hosts_to_isolated_images

    @classmethod
    def made(cls, settings: SchedulerSettings) -> Self:
        return cls(settings)

    def mask(self, fleet: Fleet, request: SchedulingRequest) -> Bools:
        if not self._hosts and request.image_id not in self._images:
            return fleet.everyone
        isolated = np.array([name in self._hosts for name in fleet.roster.names], np.bool_)
        if request.image_id in self._images:
            return isolated
        return ~isolated if self._strict else fleet.everyone

    def reason(self, fleet: Fleet, request: SchedulingRequest, removed: Positions) -> str:
        return f"these are {'not ' if request.image_id in self._images else ''}kept for isolated images"

    def lacks(self, fleet: Fleet, request: SchedulingRequest, host: int) -> str:
        return "a place among the hosts that the settings give to this image"
