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
from kilonova.scheduler.plugin import Weigher
from kilonova.scheduler.ranking import Part, Profile, Ranking, counting
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
        self._log.extend(hosts)
        if len(self._log) > _LOG:
            self._log.clear()
            self._kept.clear()
            self._figures = Figures(self._fleet, self._profile)

    def decide(self, request: SchedulingRequest, rng: random.Random) -> Decision:
        """What `decide` says, sooner."""
        return decide(self._fleet, request, self._profile, rng, lambda: self._ranking(request))

    def _ranking(self, request: SchedulingRequest) -> Ranking:
        key, now = shape_of(request), len(self._log)
        ranking, seen = self._kept.pop(key, (None, self._figures.seen))
        part = self._changed_since(seen)
        known = self._figures.of(request, part, now)
        if part is not None and ranking is not None and not ranking.update(self._fleet, request, part, known):
            ranking = None
        if ranking is None:
            ranking = Ranking(self._fleet, request, self._profile, known)
            while self._kept and (len(self._kept) + 1) * ranking.size > self._limit:
                self._kept.popitem(last=False)
        self._kept[key] = ranking, now
        return ranking

    def _changed_since(self, seen: int) -> Part | None:
        """The hosts that have changed since the log was so long; the figures have seen no less of it than any ranking."""
        if seen == len(self._log):
            return None
        hosts: Positions = np.array(sorted(set(self._log[seen:])), np.intp)
        return Part(self._fleet.part(hosts), hosts)


class Figures:
    """The figures of those weighers that read no request: worked out once for all shapes, brought up to date when asked for."""

    def __init__(self, fleet: Fleet, profile: Profile) -> None:
        self.seen = 0  # of the log of changes
        self._fleet = fleet
        self._weighers = [each for each in counting(fleet, profile) if not each.reads_request]
        self._kept: dict[str, Floats] = {}

    def of(self, request: SchedulingRequest, part: Part | None, now: int) -> dict[str, Floats]:
        """All of them by the weigher's name, not to be written. `part`: all hosts that changed since `seen`, or more."""
        if part is not None or not self._kept:
            for each in self._weighers:
                self._refresh(each, request, part)
        self.seen = now
        return self._kept

    def _refresh(self, each: Weigher, request: SchedulingRequest, part: Part | None) -> None:
        kept = self._kept.get(each.name)
        fresh = None if part is None else each.score(part.fleet, request)
        if kept is None or (fresh is not None and is_flat(kept) and (fresh != kept[0]).any()):
            every = each.score(self._fleet, request)
            self._kept[each.name] = np.broadcast_to(every[0], len(every)) if is_flat(every) else every
        elif part is not None and not is_flat(kept):
            kept[part.hosts] = fresh


def shape_of(request: SchedulingRequest) -> Hashable:
    """What a request has in common with others that all hosts answer alike."""
    hints = {key: value for key, value in request.hints.items() if key not in _OWN_HINTS} if request.hints else None
    free = (request.extra_specs, request.image_properties, hints)
    return (
        request.vcpus, request.ram_mib, request.disk_gib, request.flavor_id, request.flavor_name, request.image_id,
        request.availability_zone, request.project_id, msgspec.msgpack.encode(free) if any(free) else b"",
    )  # fmt: skip
