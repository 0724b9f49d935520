"""
The newest picture of the fleet, kept while decisions are made on it.

Claims change one host each, thousands a second, and a picture of 100,000 hosts is megabytes: copying it for each claim would cost
more than a decision. So changes wait in a queue, and are folded in, in place, when the next decision is made. Decisions are made
one after another under a lock: each is short, and threads of one process would not be quicker. Until the claim of a choice is
heard of, the choice is expected (`expected.py`); whoever asks what would be, and makes no claim, chooses nothing.

Messages may be doubled or late: of two uses of a host the one with the higher generation is newer, and the older is dropped.
"""

from __future__ import annotations

import random
import threading
from collections import deque
from dataclasses import replace

import numpy as np

from kilonova.domain.boot import SchedulingRequest
from kilonova.domain.host import HostUse
from kilonova.domain.placement import Decision
from kilonova.scheduler.expected import Expected
from kilonova.scheduler.fleet import GENERATION, Beat, ContextColumns, Fleet, Group
from kilonova.scheduler.ranking import Profile
from kilonova.scheduler.shapes import Shapes


class LiveFleet:
    """The fleet of a running scheduler. Any thread may call anything."""

    def __init__(self, fleet: Fleet, profile: Profile, cache_mib: int = 512) -> None:
        self._lock = threading.Lock()
        self._profile, self._cache_mib = profile, cache_mib
        self._changes: deque[HostUse] = deque()
        self._take(fleet)

    @property
    def fleet(self) -> Fleet:
        """The newest picture, with what is expected."""
        with self._lock:
            self._fold()
            return self._fleet

    def decide(self, request: SchedulingRequest, rng: random.Random) -> Decision:
        """A decision on the newest picture."""
        with self._lock:
            self._fold()
            return self._shapes.decide(request, rng)

    def choose(self, request: SchedulingRequest, rng: random.Random) -> Decision:
        """A decision that its asker will act on: its best host is expected to be used."""
        with self._lock:
            self._fold()
            decision = self._shapes.decide(request, rng)
            if not decision.candidates and self._expected:
                self._expect_nothing()
                decision = self._shapes.decide(request, rng)
            if decision.candidates:
                host = self._fleet.roster.by_id[decision.candidates[0].host_id]
                self._shapes.touched(self._expected.choose(host, request))
            return decision

    def copied(self) -> LiveFleet:
        """Another, of the same picture: what is claimed on one does not show in the other."""
        with self._lock:
            self._fold()
            context = replace(self._fleet.context, building=self._fleet.context.building.copy())
            return LiveFleet(
                replace(self._fleet, use=self._fleet.use.copy(), context=context), self._profile, cache_mib=8
            )

    def apply(self, use: HostUse) -> None:
        """What is claimed on a host has changed."""
        self._changes.append(use)

    def beat(self, beat: Beat) -> bool:
        """Fold in the records' use and heartbeats. False, and nothing done, when they are no longer of the same hosts."""
        with self._lock:
            self._expect_nothing()
            before, after = self._fleet, self._fleet.at(beat)
            if after is None:
                return False
            changed = (
                (before.use != after.use).any(axis=0) | (before.up != after.up) | (before.enabled != after.enabled)
            )
            for column in ("use", "up", "enabled"):
                np.copyto(getattr(before, column), getattr(after, column))
            self._shapes.touched(np.flatnonzero(changed).tolist())
            return True

    def set_context(self, context: ContextColumns, groups: dict[str, Group]) -> None:
        """Take what surrounds the hosts now. What is kept of shapes is kept on when only groups and counts have changed."""
        with self._lock:
            self._fold()
            before = self._fleet.context
            if before.aggregates.values == context.aggregates.values and before.images.places == context.images.places:
                changed = (
                    (before.building != context.building)
                    | (before.failures != context.failures)
                    | (before.images.words != context.images.words).any(axis=0)
                    | (before.aggregates.codes != context.aggregates.codes)
                )
                for old, new in (
                    (before.building, context.building), (before.failures, context.failures),
                    (before.images.words, context.images.words), (before.aggregates.codes, context.aggregates.codes),
                ):  # fmt: skip
                    np.copyto(old, new)
                self._fleet.groups.clear()
                self._fleet.groups.update(groups)
                self._shapes.touched(np.flatnonzero(changed).tolist())
            else:
                self._expect_nothing()
                self._take(replace(self._fleet, context=context, groups=groups))

    def replace(self, fleet: Fleet) -> None:
        """Take another picture; uses that are known newer than it are kept."""
        with self._lock:
            self._expect_nothing()
            fleet.remember(self._fleet)
            self._take(fleet)

    def _take(self, fleet: Fleet) -> None:
        self._fleet = replace(fleet, groups=dict(fleet.groups))
        self._shapes = Shapes(self._fleet, self._profile, self._cache_mib)
        self._expected = Expected(self._fleet)

    def _expect_nothing(self) -> None:
        self._fold()
        self._shapes.touched(self._expected.forget())

    def _fold(self) -> None:
        fleet, touched = self._fleet, []
        while self._changes:
            use = self._changes.popleft()
            host = fleet.roster.by_id.get(use.host_id)
            if host is not None and use.generation > fleet.use[GENERATION, host]:
                row = use.vcpus_used, use.ram_mib_used, use.disk_gib_used, use.servers, use.generation
                self._expected.hear(host, np.array(row, fleet.use.dtype))
                touched.append(host)
        if touched:
            self._shapes.touched(touched)
