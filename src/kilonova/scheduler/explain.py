"""The nearest miss: of a fleet where nothing fits, the host that came closest, and what it lacks."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from kilonova.domain.boot import SchedulingRequest
from kilonova.domain.placement import NearestMiss
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
    nearest = int(np.argmin(np.sum(distances, axis=0)))
    lacks = [each.lacks(fleet, request, nearest) for each, far in zip(filters, distances, strict=True) if far[nearest]]
    return NearestMiss(host=fleet.roster.names[nearest], lacks=", and ".join(lacks))
