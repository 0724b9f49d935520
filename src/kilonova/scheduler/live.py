"""
The newest picture of the fleet, kept while decisions are made on it.

Claims change one host each, thousands a second, and a picture of 100,000 hosts is megabytes: copying it for each claim would cost
more than a decision. So changes wait in a list, and are folded in when the next decision asks for a picture: in place when nobody
is looking at the newest one, else into a copy, and those who look keep theirs. A picture is thus never changed under a reader.

Messages may be doubled or late: of two uses of a host the one with the higher generation is newer, and the older is dropped.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from kilonova.domain.host import HostUse
from kilonova.scheduler.fleet import GENERATION, Beat, Fleet


class _Picture:
    """A fleet, and how many are looking at it."""

    def __init__(self, fleet: Fleet) -> None:
        self.fleet = fleet
        self.readers = 0


class LiveFleet:
    """The fleet of a running scheduler. Any thread may call anything."""

    def __init__(self, fleet: Fleet) -> None:
        self._lock = threading.Lock()  # held for the folding of a few changes, never for a decision
        self._newest = _Picture(fleet)
        self._changes: list[HostUse] = []

    @contextmanager
    def look(self) -> Iterator[Fleet]:
        """The newest picture. It stays as it is until the block ends, and is not to be kept longer."""
        with self._lock:
            self._fold()
            picture = self._newest
            picture.readers += 1
        try:
            yield picture.fleet
        finally:
            with self._lock:
                picture.readers -= 1

    def apply(self, use: HostUse) -> None:
        """What is claimed on a host has changed."""
        with self._lock:
            self._changes.append(use)

    def beat(self, beat: Beat) -> bool:
        """Fold in the records' use and heartbeats. False, and nothing done, when they are no longer of the same hosts."""
        with self._lock:
            self._fold()
            fleet = self._newest.fleet.at(beat)
            if fleet is None:
                return False
            self._newest = _Picture(fleet)
            return True

    def replace(self, fleet: Fleet) -> None:
        """Take another picture; uses that are known newer than it are kept."""
        with self._lock:
            self._fold()
            fleet.remember(self._newest.fleet)
            self._newest = _Picture(fleet)

    def _fold(self) -> None:
        if not self._changes:
            return
        if self._newest.readers:
            fleet = self._newest.fleet
            self._newest = _Picture(replace(fleet, use=fleet.use.copy()))
        fleet = self._newest.fleet
        for use in self._changes:
            host = fleet.roster.by_id.get(use.host_id)
            if host is not None and use.generation > fleet.use[GENERATION, host]:
                fleet.use[:, host] = use.vcpus_used, use.ram_mib_used, use.disk_gib_used, use.servers, use.generation
        self._changes.clear()
