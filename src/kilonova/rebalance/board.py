"""
The fleet while moves are tried on it.

A server may go where the real filters let it, asked as they would be for a migration: its own place in its group is lifted, the
hosts that its hints name are those of the moment, and the host it is on is out. Room is asked for while it is still where it was,
because a live migration claims both; and moves come one after another. So each move of a plan fits at the time that it is made.

Only hosts that are up and enabled take part: servers on others are somebody else's care, and nothing can be moved to them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

import msgspec
import numpy as np

from kilonova.domain.boot import SchedulingRequest
from kilonova.rebalance.model import Resident
from kilonova.scheduler.columns import Bools, Floats, Ints
from kilonova.scheduler.fleet import DISK, RAM, SERVERS, VCPUS, Fleet, Group
from kilonova.scheduler.ranking import Profile

_HINTS = ("same_host", "different_host")


class Board:
    """A fleet, who is on it, and where each is now."""

    def __init__(self, fleet: Fleet, residents: Sequence[Resident], profile: Profile) -> None:
        self._fleet = replace(fleet, use=fleet.use.copy(), groups=dict(fleet.groups))
        self._profile = profile
        self.taking_part: Bools = fleet.up & fleet.enabled
        known = [one for one in residents if one.host in fleet.roster.by_name]
        self._places = {one.server_id: fleet.roster.by_name[one.host] for one in known}
        self.fixed = Counter(why for one in known if (why := self._why_fixed(one)))
        self._movable: dict[int, list[Resident]] = {}
        for one in sorted(known, key=lambda one: one.server_id):
            if not self._why_fixed(one):
                self._movable.setdefault(self._places[one.server_id], []).append(one)

    def _why_fixed(self, one: Resident) -> str:
        if one.request.forced_host is not None:
            return "asked for its host by name"
        return one.fixed or (
            "" if self.taking_part[self._places[one.server_id]] else "on a host that is down or disabled"
        )

    @property
    def use(self) -> Ints:
        """What is claimed of each host, as a fleet has it."""
        return self._fleet.use

    @property
    def names(self) -> tuple[str, ...]:
        """Of the hosts."""
        return self._fleet.roster.names

    def shares(self) -> Floats:
        """Of vCPUs, RAM and disk of each host, the part of what can be claimed that is; 0 of nothing. [3, hosts]."""
        return self._parts(self._fleet.use[:3])

    def shares_of(self, one: Resident) -> Floats:
        """What a server would add to the shares of each host. [3, hosts]."""
        asked = one.request
        return self._parts(np.array([[asked.vcpus], [asked.ram_mib], [asked.disk_gib]]))

    def _parts(self, amounts: Ints) -> Floats:
        room = self._fleet.room.astype(np.float64)
        parts: Floats = np.divide(amounts, room, out=np.zeros_like(room), where=room > 0)
        return parts

    def movable(self, place: int) -> list[Resident]:
        """Servers on a host that may be moved, by id."""
        return self._movable.get(place, [])

    def targets(self, one: Resident) -> Bools:
        """The hosts that a server may be moved to now."""
        request = msgspec.structs.replace(one.request, hosts_of_hints=self._hosts_of_hints(one.request))
        lifted = self._lifted(one)
        asked = replace(self._fleet, groups={} if lifted is None else {lifted[0]: lifted[1]})
        passing = self.taking_part.copy()
        passing[self._places[one.server_id]] = False
        for each in self._profile.filters:
            if not passing.any():
                break
            passing &= each.mask(asked, request)
        return passing

    def move(self, one: Resident, target: int) -> None:
        """Count what a server uses on `target`, a row of the fleet, and no longer where it was."""
        source = self._places[one.server_id]
        asked = one.request
        for row, amount in ((VCPUS, asked.vcpus), (RAM, asked.ram_mib), (DISK, asked.disk_gib), (SERVERS, 1)):
            self._fleet.use[row, source] -= amount
            self._fleet.use[row, target] += amount
        self._places[one.server_id] = target
        self._movable[source].remove(one)
        self._movable.setdefault(target, []).append(one)
        lifted = self._lifted(one, at=source)
        if lifted is not None:
            name, without = lifted
            counts = dict(zip(without.hosts.tolist(), without.counts.tolist(), strict=True))
            self._fleet.groups[name] = _group(without, counts | {target: counts.get(target, 0) + 1})

    def _lifted(self, one: Resident, at: int | None = None) -> tuple[str, Group] | None:
        """The server's group without it (which is counted on host `at`; where it is, if not said), and the group's name."""
        hint = one.request.hints.get("group", "")
        name = hint if isinstance(hint, str) else next(iter(hint), "")
        group = self._fleet.groups.get(name)
        if group is None:
            return None
        place = self._places[one.server_id] if at is None else at
        counts = dict(zip(group.hosts.tolist(), group.counts.tolist(), strict=True))
        counts[place] = counts.get(place, 1) - 1
        return name, _group(group, counts)

    def _hosts_of_hints(self, request: SchedulingRequest) -> dict[str, tuple[str, ...]]:
        found = {}
        for hint in _HINTS:
            if named := request.hints.get(hint):
                ids = [named] if isinstance(named, str) else named
                found[hint] = tuple({self.names[self._places[ident]] for ident in ids if ident in self._places})
        return found


def _group(like: Group, counts: dict[int, int]) -> Group:
    held = {place: count for place, count in counts.items() if count > 0}
    return replace(like, hosts=np.array(list(held), np.intp), counts=np.array(list(held.values()), np.int64))
