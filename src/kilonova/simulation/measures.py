"""
What is measured of a fleet at a moment. Pure; every resource counts by what can be claimed of it (ratios and reserves applied).

**Used**: claimed, as a part of all. **Density**: the same of the hosts that have servers, which is what packing is about.
**Imbalance**: the standard deviation of the used part over hosts. **Fragmentation**, for a flavor: of the servers of it that the
free capacity would hold were it in one piece, the part that it does not hold, since it is in pieces; 0 is best, and 0 also when
one piece would hold none.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeAlias

import numpy as np

from kilonova.domain.boot import SchedulingRequest
from kilonova.scheduler.columns import Bools, Floats, Ints
from kilonova.scheduler.filters.resource import ResourceFilter
from kilonova.scheduler.fleet import DISK, RAM, SERVERS, VCPUS, Fleet
from kilonova.scheduler.ranking import Profile

RESOURCES = {"vcpus": VCPUS, "ram": RAM, "disk": DISK}
ByResource: TypeAlias = dict[str, float]


def shares(fleet: Fleet) -> Floats:
    """Of each resource and host, the part that is used; 0 of nothing. [3, hosts]."""
    room = fleet.room.astype(np.float64)
    parts: Floats = np.divide(fleet.use[:3], room, out=np.zeros_like(room), where=room > 0)
    return parts


def used(fleet: Fleet) -> ByResource:
    """The part that is used of the whole fleet."""
    return _parts(fleet, np.ones(len(fleet), np.bool_))


def density(fleet: Fleet) -> ByResource:
    """The part that is used of the hosts that have servers; 0 when none has."""
    return _parts(fleet, fleet.use[SERVERS] > 0)


def hosts_in_use(fleet: Fleet) -> int:
    """Hosts that have servers."""
    return int(np.count_nonzero(fleet.use[SERVERS]))


def imbalance(fleet: Fleet) -> ByResource:
    """The standard deviation of the used part over all hosts."""
    deviations = shares(fleet).std(axis=1)
    return {name: float(deviations[row]) for name, row in RESOURCES.items()}


def possible(fleet: Fleet, request: SchedulingRequest, profile: Profile) -> Bools:
    """The hosts that could ever take such a server: all filters but the one for room are asked."""
    passing = fleet.everyone
    for each in profile.pure:
        if not isinstance(each, ResourceFilter):
            passing = passing & each.mask(fleet, request)
    return passing


def fragmentation(fleet: Fleet, wanted: SchedulingRequest, hosts: Bools) -> float:
    """Of a flavor, on the hosts that it may be on."""
    sizes = {VCPUS: wanted.vcpus, RAM: wanted.ram_mib, DISK: wanted.disk_gib}
    asked = [(row, size) for row, size in sizes.items() if size]
    if not asked:
        return 0.0
    large_enough = hosts & _all(fleet.physical[row] >= size for row, size in asked if row != DISK)
    left: list[Ints] = [np.maximum(fleet.room[row] - fleet.use[row], 0)[large_enough] for row, _ in asked]
    in_one_piece = min(int(free.sum()) // size for free, (_, size) in zip(left, asked, strict=True))
    if not in_one_piece:
        return 0.0
    in_pieces = np.minimum.reduce([free // size for free, (_, size) in zip(left, asked, strict=True)])
    return 1.0 - int(in_pieces.sum()) / in_one_piece


def _all(masks: Iterable[Bools]) -> Bools | np.bool_:
    passing: Bools | np.bool_ = np.True_
    for mask in masks:
        passing = passing & mask
    return passing


def _parts(fleet: Fleet, hosts: Bools) -> ByResource:
    parts = {}
    for name, row in RESOURCES.items():
        room = int(fleet.room[row][hosts].sum())
        parts[name] = int(fleet.use[row][hosts].sum()) / room if room else 0.0
    return parts
