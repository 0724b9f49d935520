"""
The rankings of request shapes that repeat, kept and brought up to date rather than made again.

Most requests repeat a shape just seen, and a claim changes one host. So the ranking of a shape is kept, with how many changes it
has seen, and when the shape comes again only the hosts that have changed since are asked about. What a request has of its own
(its server, its group, the hosts it names) is no part of the shape: naming filters come on top (`decide.py`).

Not for two threads at once: `live.py` has decisions made one after another.
"""

from __future__ import annotations

import random
from collections import OrderedDict
from collections.abc import Hashable, Iterable

import msgspec
import numpy as np

from kilonova.domain.boot import SchedulingRequest
from kilonova.domain.placement import Decision
from kilonova.scheduler.columns import Floats, Positions
from kilonova.scheduler.decide import decide
from kilonova.scheduler.fleet import Fleet
from kilonova.scheduler.ranking import Profile, Ranking, counting
from kilonova.scheduler.spans import is_flat

_OWN_HINTS = frozenset({"group", "same_host", "different_host"})
_LOG = 65536  # changes remembered; a shape that has missed more is ranked anew


class Shapes:
    """What is kept of one fleet."""

    def __init__(self, fleet: Fleet, profile: Profile, cache_mib: int = 512) -> None:
        self._fleet, self._profile, self._limit = fleet, profile, cache_mib << 20
        self._kept: OrderedDict[Hashable, tuple[Ranking, int]] = OrderedDict()
        self._log: list[int] = []
        self._figures = Figures(fleet, profile)

    def touched(self, hosts: Iterable[int]) -> None:
        """These hosts' columns have changed."""
        before = len(self._log)
        self._log.extend(hosts)
        self._figures.touched(self._log[before:])
        if len(self._log) > _LOG:
            self._log.clear()
            self._kept.clear()

    def decide(self, request: SchedulingRequest, rng: random.Random) -> Decision:
        """What `decide` says, sooner."""
        return decide(self._fleet, request, self._profile, rng, lambda: self._ranking(request))

    def _ranking(self, request: SchedulingRequest) -> Ranking:
        key, known = shape_of(request), self._figures.of(request)
        kept = self._kept.pop(key, None)
        ranking = None if kept is None else kept[0]
        if kept is not None and kept[1] < len(self._log):
            changed: Positions = np.array(sorted(set(self._log[kept[1] :])), np.intp)
            if len(changed) > len(self._fleet) // 4 or not kept[0].update(self._fleet, request, changed, known):
                ranking = None
        if ranking is None:
            ranking = Ranking(self._fleet, request, self._profile, known)
            while self._kept and (len(self._kept) + 1) * ranking.size > self._limit:
                self._kept.popitem(last=False)
        self._kept[key] = ranking, len(self._log)
        return ranking


class Figures:
    """The figures of those weighers that read no request: worked out once for all shapes, brought up to date when asked for."""

    def __init__(self, fleet: Fleet, profile: Profile) -> None:
        self._fleet = fleet
        self._weighers = [each for each in counting(fleet, profile) if not each.reads_request]
        self._kept: dict[str, Floats] = {}
        self._changed: set[int] = set()

    def touched(self, hosts: Iterable[int]) -> None:
        """These hosts' columns have changed."""
        self._changed.update(hosts)

    def of(self, request: SchedulingRequest) -> dict[str, Floats]:
        """All of them by the weigher's name, not to be written; the request only has to be some request."""
        if self._kept and not self._changed:
            return self._kept
        changed: Positions = np.array(sorted(self._changed), np.intp)
        part = self._fleet.part(changed) if self._kept else None
        for each in self._weighers:
            kept = self._kept.get(each.name)
            fresh = None if part is None else each.score(part, request)
            if kept is None or (fresh is not None and is_flat(kept) and (fresh != kept[0]).any()):
                every = each.score(self._fleet, request)
                self._kept[each.name] = np.broadcast_to(every[0], len(every)) if is_flat(every) else every
            elif fresh is not None and not is_flat(kept):
                kept[changed] = fresh
        self._changed.clear()
        return self._kept


def shape_of(request: SchedulingRequest) -> Hashable:
    """What a request has in common with others that all hosts answer alike."""
    hints = {key: value for key, value in request.hints.items() if key not in _OWN_HINTS} if request.hints else None
    free = (request.extra_specs, request.image_properties, hints)
    return (
        request.vcpus, request.ram_mib, request.disk_gib, request.flavor_id, request.flavor_name, request.image_id,
        request.availability_zone, request.project_id, msgspec.msgpack.encode(free) if any(free) else b"",
    )  # fmt: skip
