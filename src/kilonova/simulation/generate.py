"""
Workloads made up: arrivals as a Poisson process, with a daily wave if wished, of mixed flavors with random lifetimes.

The mean lifetime is chosen so that the fleet would be as full as is asked for: by Little's law, what is there at a time is the
rate of arrivals times the mean lifetime, in the resource that runs out first. All chance comes from one seed.
"""

from __future__ import annotations

import math
import random
from collections.abc import Iterator, Sequence
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import msgspec
from msgspec import Meta

from kilonova.domain.errors import Rejected
from kilonova.domain.server_group import GroupPolicy
from kilonova.simulation.fleet import HostGroup
from kilonova.simulation.sheets import read_csv
from kilonova.simulation.trace import Amount, Arrival

_HOUR_S, _DAY_S = 3600.0, 86400.0
_SIGMA = (
    1.0  # of lognormal lifetimes: the mean is 1.65 times the median, and one in a hundred lives ten times the median
)
_IN_A_GROUP = 3
Share = Annotated[float, Meta(ge=0, le=1)]


class Lifetimes(StrEnum):
    """How long servers live: most of them shortly and a few very long, or without memory."""

    LOGNORMAL = "lognormal"
    EXPONENTIAL = "exponential"


class FlavorMix(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A flavor, and its weight among the arrivals; RAM in MiB, disk in GiB."""

    name: str
    vcpus: Amount
    ram_mib: Amount
    disk_gib: Amount
    weight: Annotated[float, Meta(gt=0)] = 1.0
    zone: str | None = None
    traits: tuple[str, ...] = ()


FLAVORS = (
    FlavorMix(name="small", vcpus=1, ram_mib=2048, disk_gib=20, weight=25),
    FlavorMix(name="medium", vcpus=2, ram_mib=8192, disk_gib=40, weight=30),
    FlavorMix(name="large", vcpus=4, ram_mib=16384, disk_gib=80, weight=25),
    FlavorMix(name="cpu", vcpus=8, ram_mib=8192, disk_gib=40, weight=8),
    FlavorMix(name="memory", vcpus=4, ram_mib=49152, disk_gib=80, weight=7),
    FlavorMix(name="huge", vcpus=16, ram_mib=65536, disk_gib=320, weight=5),
)


class Workload(msgspec.Struct, frozen=True, kw_only=True):
    """What to make up. `load` is the part of the fleet that would be in use at a time, were everything placed."""

    arrivals: Annotated[int, Meta(ge=1)] = 5000
    hours: Annotated[float, Meta(gt=0)] = 168.0  # in which they come, about
    load: Annotated[float, Meta(gt=0)] = 0.9
    lifetimes: Lifetimes = Lifetimes.LOGNORMAL
    mean_lifetime_h: Annotated[float, Meta(gt=0)] | None = None  # None: what `load` asks for
    wave: Share = 0.3  # how much more than the mean arrive at the busiest time of a day, and less at the quietest
    grouped: Share = 0.1  # this part of them belongs to anti-affinity groups of three
    flavors: tuple[FlavorMix, ...] = FLAVORS


def read_flavors(path: Path) -> tuple[FlavorMix, ...]:
    """A mix of flavors from a CSV file. Raises Rejected."""
    found = tuple(read_csv(path, FlavorMix))
    if not found:
        raise Rejected(f"{path} names no flavors.", next_step="See docs/simulation.md for its form.")
    return found


def generate(workload: Workload, fleet: Sequence[HostGroup], seed: int) -> list[Arrival]:
    """The arrivals. The same of everything gives the same."""
    rng = random.Random(seed)  # noqa: S311 - variety, no secret
    mean_s = mean_lifetime_s(workload, fleet)
    weights = [flavor.weight for flavor in workload.flavors]
    chosen = []
    for number, at_s in enumerate(_times(workload, rng)):
        flavor = rng.choices(workload.flavors, weights)[0]
        chosen.append(_arrival(number, at_s, flavor, _lifetime_s(workload.lifetimes, mean_s, rng)))
    return _grouped(chosen, workload.grouped, rng)


def mean_lifetime_s(workload: Workload, fleet: Sequence[HostGroup]) -> float:
    """The mean lifetime in seconds at which the fullest resource of the fleet reaches the load. Raises Rejected when none can."""
    if workload.mean_lifetime_h is not None:
        return workload.mean_lifetime_h * _HOUR_S
    total = sum(flavor.weight for flavor in workload.flavors)
    per_s = workload.arrivals / (workload.hours * _HOUR_S)
    lifetimes = []
    for room, field in zip(_rooms(fleet), ("vcpus", "ram_mib", "disk_gib"), strict=True):
        mean: float = sum(getattr(flavor, field) * flavor.weight for flavor in workload.flavors) / total
        if mean:
            lifetimes.append(workload.load * room / (per_s * mean))
    if not lifetimes or not min(lifetimes):
        raise Rejected("A load of this fleet cannot be had: it, or the flavors, have no size.")
    return min(lifetimes)


def _rooms(fleet: Sequence[HostGroup]) -> tuple[float, float, float]:
    return (
        sum(group.count * group.vcpus * group.cpu_ratio for group in fleet),
        sum(group.count * (group.ram_mib - group.ram_mib_reserved) * group.ram_ratio for group in fleet),
        sum(group.count * (group.disk_gib - group.disk_gib_reserved) * group.disk_ratio for group in fleet),
    )


def _times(workload: Workload, rng: random.Random) -> Iterator[float]:
    """Arrivals at the busiest rate, thinned to the rate of the time of day."""
    rate = workload.arrivals / (workload.hours * _HOUR_S)
    busiest, at_s, made = rate * (1 + workload.wave), 0.0, 0
    while made < workload.arrivals:
        at_s += rng.expovariate(busiest)
        now = rate * (1 + workload.wave * math.sin(2 * math.pi * at_s / _DAY_S))
        if rng.random() * busiest < now:
            made += 1
            yield round(at_s, 3)


def _lifetime_s(lifetimes: Lifetimes, mean_s: float, rng: random.Random) -> float:
    if lifetimes is Lifetimes.EXPONENTIAL:
        return round(rng.expovariate(1 / mean_s), 3)
    return round(rng.lognormvariate(math.log(mean_s) - _SIGMA**2 / 2, _SIGMA), 3)


def _arrival(number: int, at_s: float, flavor: FlavorMix, lifetime_s: float) -> Arrival:
    return Arrival(
        at_s=at_s, lifetime_s=lifetime_s, vcpus=flavor.vcpus, ram_mib=flavor.ram_mib, disk_gib=flavor.disk_gib,
        server=f"server-{number}", flavor=flavor.name, zone=flavor.zone, traits=flavor.traits,
    )  # fmt: skip


def _grouped(arrivals: list[Arrival], share: float, rng: random.Random) -> list[Arrival]:
    """The arrivals, some of them in groups with the next ones: who is deployed apart is deployed together."""
    made: list[Arrival] = []
    group = left = 0
    for one in arrivals:
        if not left and rng.random() * (_IN_A_GROUP - (_IN_A_GROUP - 1) * share) < share:
            group, left = group + 1, _IN_A_GROUP
        if left:
            left -= 1
            one = msgspec.structs.replace(one, group=f"group-{group}", policy=GroupPolicy.ANTI_AFFINITY)  # noqa: PLW2901
        made.append(one)
    return made
