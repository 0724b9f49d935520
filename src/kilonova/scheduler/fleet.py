"""
The fleet as a scheduler sees it: columns, and nothing else.

A `Fleet` is a picture: filters and weighers read it and never write it, so a decision is a pure function of it. `live.py` keeps
the newest picture and folds changes into it. All columns have one entry per host, by host number.

What a host can still take is kept as whole numbers: `room` is the floor of (physical - reserved) x ratio, so that
`used + wanted <= room` says exactly what the claim will say (`store.queries.hosts.fits`) about the unrounded product.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Any

import msgspec
import numpy as np

from kilonova.domain.aggregate import Aggregate
from kilonova.domain.host import ALIVE_WITHIN_S, Host, HostFacts
from kilonova.scheduler.columns import Bits, Bools, Coded, Ints, Positions, bits, coded
from kilonova.store.queries.fleet import Pulse

VCPUS, RAM, DISK, SERVERS, GENERATION = range(5)  # rows of `Fleet.use`
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Group:
    """A server group: its policy, how many of its servers a host may have, and the hosts that have some, with how many."""

    policy: str  # affinity, anti-affinity
    hosts: Positions
    counts: Ints
    max_per_host: int = 1


class Roster:
    """Which hosts a fleet has, in the order of its columns. Shared by all pictures of the same hosts."""

    def __init__(self, ids: tuple[str, ...], names: tuple[str, ...], revision: tuple[int, ...]) -> None:
        self.ids, self.names = ids, names
        self.revision = revision  # when each record was last changed otherwise than by a claim or a heartbeat
        self.everyone: Bools = np.ones(len(ids), np.bool_)
        self.everyone.flags.writeable = False

    @cached_property
    def by_id(self) -> dict[str, int]:
        """Each host's place, by its id."""
        return {host_id: i for i, host_id in enumerate(self.ids)}

    @cached_property
    def by_name(self) -> dict[str, int]:
        """Each host's place, by its name."""
        return {name: i for i, name in enumerate(self.names)}

    def part(self, hosts: Positions) -> Roster:
        """Some of the hosts."""
        places = hosts.tolist()
        return Roster(tuple(self.ids[i] for i in places), tuple(self.names[i] for i in places), ())


@dataclass(frozen=True, slots=True)
class Beat:
    """A pulse of the records as columns."""

    ids: tuple[str, ...]
    revision: tuple[int, ...]
    use: Ints
    enabled: Bools
    up: Bools

    @classmethod
    def of(cls, pulse: Pulse, now: datetime) -> Beat:
        """The pulse as it is at `now`."""
        forced_down = np.array(pulse.forced_down, np.bool_)
        return cls(
            ids=pulse.ids,
            revision=pulse.updated_at,
            use=np.array(pulse[1:6], np.int64).reshape(5, -1),
            enabled=~np.array(pulse.disabled, np.bool_),
            up=_up(np.array(pulse.seen_at, np.int64), forced_down, now),
        )


@dataclass(frozen=True, slots=True)
class ContextColumns:
    """What is known of hosts besides their own records."""

    aggregates: Coded[tuple[Aggregate, ...]]
    images: Bits  # which images each has had servers of, and so has in its cache
    building: Ints  # servers being built there
    failures: Ints  # builds that failed there lately

    def part(self, hosts: Positions) -> ContextColumns:
        """That of some of the hosts."""
        return ContextColumns(**{each.name: _part(getattr(self, each.name), hosts) for each in fields(self)})


@dataclass(frozen=True, slots=True)
class Fleet:
    """All hosts. RAM in MiB, disk in GiB; `physical`, `room` and `use` have a row each for vCPUs, RAM and disk."""

    roster: Roster
    zones: Coded[str]
    facts: Coded[HostFacts]  # without the host's own addresses
    physical: Ints  # [3, hosts]
    room: Ints  # [3, hosts]: what can be claimed of a host in all
    use: Ints  # [5, hosts]: what is claimed, then how many servers, and the generation
    enabled: Bools
    up: Bools  # heard of lately and not forced down
    addresses: Coded[str]
    traits: Bits
    context: ContextColumns
    groups: dict[str, Group] = field(default_factory=dict)

    def part(self, hosts: Positions) -> Fleet:
        """Some of the hosts, as a fleet of their own: it knows no groups, which are of the whole."""
        return Fleet(**{each.name: _part(getattr(self, each.name), hosts) for each in fields(self)})

    def __len__(self) -> int:
        return len(self.roster.ids)

    @property
    def everyone(self) -> Bools:
        """What a filter answers when it has nothing against anybody."""
        return self.roster.everyone

    def free(self, resource: int, hosts: Positions | slice = slice(None)) -> Ints:
        """What one server could still get of a resource on these hosts; below 0 where more is claimed than there is room."""
        left: Ints = self.room[resource, hosts] - self.use[resource, hosts]
        # No server is larger than its host, however far the host is overcommitted. Disk may be, when the ratio says so.
        return left if resource == DISK else np.minimum(left, self.physical[resource, hosts])

    def at(self, beat: Beat) -> Fleet | None:
        """The picture at a beat; None when it is not of the same hosts, or more than use and heartbeats changed."""
        if self.roster.ids != beat.ids or self.roster.revision != beat.revision:
            return None
        use = np.where(beat.use[GENERATION] > self.use[GENERATION], beat.use, self.use)
        return replace(self, use=use, enabled=beat.enabled, up=beat.up)

    def remember(self, before: Fleet) -> None:
        """Take over from an earlier picture what it knows newer uses of: they were heard of while this one was read."""
        old = np.array([before.roster.by_id.get(host_id, -1) for host_id in self.roster.ids], np.intp)
        here = np.flatnonzero(old >= 0)
        here = here[before.use[GENERATION, old[here]] > self.use[GENERATION, here]]
        self.use[:, here] = before.use[:, old[here]]


def fleet_of(
    hosts: Sequence[Host],
    now: datetime,
    groups: Mapping[str, Group] | None = None,
    context: ContextColumns | None = None,
    said: Mapping[str, Sequence[str]] | None = None,
) -> Fleet:
    """A picture of these hosts, in the order of their numbers; `said`: traits that operators say they have, by host id."""
    forced_down = np.array([host.forced_down for host in hosts], np.bool_)
    seen_at = np.array([_microseconds(host.seen_at) for host in hosts], np.int64)
    roster = Roster(
        ids=tuple(host.id for host in hosts),
        names=tuple(host.name for host in hosts),
        revision=tuple(_microseconds(host.updated_at) for host in hosts),
    )
    return Fleet(
        roster=roster,
        zones=coded((host.zone, host.zone) for host in hosts),
        facts=coded(_shared(host.facts) for host in hosts),
        physical=_rows(hosts, 3, lambda host: (host.facts.vcpus, host.facts.ram_mib, host.facts.disk_gib)),
        room=_rows(hosts, 3, _room),
        use=_rows(hosts, 5, _use),
        enabled=np.array([not host.disabled for host in hosts], np.bool_),
        up=_up(seen_at, forced_down, now),
        addresses=coded((host.facts.address, host.facts.address) for host in hosts),
        traits=_traits(hosts, said or {}),
        context=context or no_context(len(hosts)),
        groups=dict(groups or {}),
    )


def no_context(hosts: int) -> ContextColumns:
    """Of hosts that are in no aggregate and have had no servers."""
    none = np.zeros(hosts, np.int64)
    return ContextColumns(Coded(((),), np.zeros(hosts, np.intp)), bits(hosts, ()), none, none.copy())


def _traits(hosts: Sequence[Host], said: Mapping[str, Sequence[str]]) -> Bits:
    held: dict[str, list[int]] = {}
    for place, host in enumerate(hosts):
        for trait in {*host.facts.traits, *said.get(host.id, ())}:
            held.setdefault(trait, []).append(place)
    return bits(len(hosts), held.items())


def _part(column: Any, hosts: Positions) -> Any:
    match column:
        case np.ndarray():
            return column[..., hosts]
        case Coded():
            return Coded(column.values, column.codes[hosts])
        case Bits():
            return Bits(column.places, column.words[:, hosts])
        case Roster() | ContextColumns():
            return column.part(hosts)
        case _:
            return {}


def _rows(hosts: Sequence[Host], height: int, figures: Callable[[Host], tuple[int, ...]]) -> Ints:
    table = np.fromiter((figure for host in hosts for figure in figures(host)), np.int64, height * len(hosts))
    return np.ascontiguousarray(table.reshape(-1, height).T)


def _room(host: Host) -> tuple[int, int, int]:
    facts = host.facts
    return (
        math.floor(facts.vcpus * host.cpu_ratio),
        math.floor((facts.ram_mib - host.ram_mib_reserved) * host.ram_ratio),
        math.floor((facts.disk_gib - host.disk_gib_reserved) * host.disk_ratio),
    )


def _use(host: Host) -> tuple[int, int, int, int, int]:
    return host.vcpus_used, host.ram_mib_used, host.disk_gib_used, host.servers, host.generation


def _shared(facts: HostFacts) -> tuple[bytes, HostFacts]:
    common = msgspec.structs.replace(facts, address="", tunnel_ip="", addresses=())
    return msgspec.msgpack.encode(common), common


def _up(seen_at: Ints, forced_down: Bools, now: datetime) -> Bools:
    up: Bools = (seen_at >= _microseconds(now) - ALIVE_WITHIN_S * 1_000_000) & ~forced_down
    return up


def _microseconds(at: datetime | None) -> int:
    return 0 if at is None else (at - _EPOCH) // _MICROSECOND


def words(values: Iterable[object], limit: int = 5) -> str:
    """Some values in a sentence: the first few, and how many more."""
    named = sorted({str(value) for value in values})
    more = f" and {len(named) - limit} more" if len(named) > limit else ""
    return ", ".join(named[:limit]) + more
