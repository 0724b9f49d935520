"""The nearest miss: of a fleet where nothing fits, the host that came closest, and what it lacks."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from kilonova.domain.boot import SchedulingRequest
from kilonova.domain.placement import NearestMiss
from kilonova.scheduler.columns import Positions
from kilonova.scheduler.fleet import Fleet
from kilonova.scheduler.plugin import Filter


def nearest_miss(fleet: Fleet, request: SchedulingRequest, filters: Sequence[Filter]) -> NearestMiss | None:
    """
    The host with the smallest distance over all filters; the first of several. None of an empty fleet.

    Every filter is asked about every host here, unlike in a decision: a host that an early filter removed for little may be
    nearer than the one that failed last.
    """
    if not len(fleet):
        return None
    distances = [each.distance(fleet, request) for each in filters]
    meant = _meant(fleet, request)
    nearest = int(meant[np.argmin(np.sum(distances, axis=0)[meant])])
    lacks = [each.lacks(fleet, request, nearest) for each, far in zip(filters, distances, strict=True) if far[nearest]]
    return NearestMiss(host=fleet.roster.names[nearest], lacks=", and ".join(lacks))


def _meant(fleet: Fleet, request: SchedulingRequest) -> Positions:
    """
    The hosts of which it helps to know what they lack: the one that was asked for by name, else those that were not tried
    before; all, where that leaves none.
    """
    forced = fleet.roster.by_name.get(request.forced_host or "")
    if forced is not None:
        return np.array([forced], np.intp)
    tried = [fleet.roster.by_name[name] for name in request.excluded_hosts if name in fleet.roster.by_name]
    left = np.setdiff1d(np.arange(len(fleet)), np.array(tried, np.intp))
    return left if len(left) else np.arange(len(fleet))
