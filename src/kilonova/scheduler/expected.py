"""
What was chosen and not yet claimed, as far as this scheduler knows.

Several servers asked for together are decided within milliseconds, before the first of their claims is heard of. On a picture
that shows none of them all of three equal hosts look empty each time, and five of six servers may go to one. So a choice is
expected on its host, until a claim there is heard of, or the records are read.

Only as a hint. What is expected may never be claimed, and nobody says so; a host must not be full for what will not come
(`live.py` decides again without before it says no). And it is not shown at each choice: to bring the rankings of 100,000 hosts
up to date costs more than a decision, and so many rarely draw the same host twice. Choices are shown together, when there is one
for so many hosts.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable

from kilonova.domain.boot import SchedulingRequest
from kilonova.scheduler.columns import Ints
from kilonova.scheduler.fleet import SERVERS, Fleet

_HOSTS_A_CHOICE = 25


class Expected:
    """Of one picture, whose `use` it changes in place. What it gives are the hosts whose use it has changed."""

    def __init__(self, fleet: Fleet) -> None:
        self._use = fleet.use
        self._chosen: dict[int, deque[SchedulingRequest]] = {}
        self._known: dict[int, Ints] = {}  # the use of hosts that show more
        self._unseen: list[int] = []

    def __bool__(self) -> bool:
        return bool(self._chosen)

    def choose(self, host: int, request: SchedulingRequest) -> Iterable[int]:
        """A server of this request is to go to a host."""
        self._chosen.setdefault(host, deque()).append(request)
        self._unseen.append(host)
        if len(self._unseen) * _HOSTS_A_CHOICE < self._use.shape[1]:
            return ()
        shown = {host for host in self._unseen if host in self._chosen}
        self._unseen.clear()
        for each in shown:
            self._show(each, self._known_of(each))
        return shown

    def hear(self, host: int, use: Ints) -> None:
        """A host's use is known now: of what was expected there, as much has come as it has servers more."""
        chosen = self._chosen.get(host)
        if chosen is None:
            self._use[:, host] = use
            return
        for _ in range(min(len(chosen), max(0, int(use[SERVERS] - self._known_of(host)[SERVERS])))):
            chosen.popleft()
        self._show(host, use)

    def forget(self) -> Iterable[int]:
        """Expect nothing."""
        shown = list(self._known)
        for host, use in self._known.items():
            self._use[:, host] = use
        self._chosen.clear()
        self._known.clear()
        self._unseen.clear()
        return shown

    def _known_of(self, host: int) -> Ints:
        """The use that was heard of or read, without what is expected."""
        return self._known[host] if host in self._known else self._use[:, host].copy()

    def _show(self, host: int, known: Ints) -> None:
        chosen = self._chosen[host]
        self._use[:, host] = known
        for request in chosen:
            self._use[:, host] += (request.vcpus, request.ram_mib, request.disk_gib, 1, 0)
        if chosen:
            self._known[host] = known
        else:
            del self._chosen[host]
            self._known.pop(host, None)
