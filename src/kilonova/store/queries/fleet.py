"""
What a scheduler reads of all hosts every few seconds: who is alive and what is used, as raw columns, no facts decoded; and what
surrounds hosts, from the records of aggregates, groups, servers and sagas.
"""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

from sqlalchemy import BigInteger, func, literal, select, type_coerce

from kilonova.domain.aggregate import Aggregate
from kilonova.domain.saga import Event
from kilonova.domain.server import Lifecycle
from kilonova.domain.server_group import GroupRule
from kilonova.store.database import Tx
from kilonova.store.queries import aggregates, server_groups
from kilonova.store.tables.compute import servers
from kilonova.store.tables.hosts import hosts
from kilonova.store.tables.sagas import saga_events

_FAILED = literal(Event.STEP_FAILED.value, literal_execute=True)  # in words, so that the index of failures is taken


class Pulse(NamedTuple):
    """Columns of all hosts, by number; times in microseconds since 1970, 0 for never."""

    ids: tuple[str, ...] = ()
    vcpus_used: tuple[int, ...] = ()
    ram_mib_used: tuple[int, ...] = ()
    disk_gib_used: tuple[int, ...] = ()
    servers: tuple[int, ...] = ()
    generations: tuple[int, ...] = ()
    disabled: tuple[bool, ...] = ()
    forced_down: tuple[bool, ...] = ()
    seen_at: tuple[int, ...] = ()
    updated_at: tuple[int, ...] = ()


def pulse(tx: Tx) -> Pulse:
    """The fleet's pulse. A change of `ids` or `updated_at` means that facts, zones or ratios may have changed too."""
    seen_at, updated_at = (type_coerce(column, BigInteger) for column in (hosts.c.seen_at, hosts.c.updated_at))
    rows = tx.execute(
        select(
            hosts.c.id, hosts.c.vcpus_used, hosts.c.ram_mib_used, hosts.c.disk_gib_used, hosts.c.servers,
            hosts.c.generation, hosts.c.disabled, hosts.c.forced_down, seen_at, updated_at,
        ).order_by(hosts.c.number)
    ).all()  # fmt: skip
    if not rows:
        return Pulse()
    columns = Pulse(*zip(*rows, strict=True))
    return columns._replace(
        seen_at=tuple(at or 0 for at in columns.seen_at), updated_at=tuple(at or 0 for at in columns.updated_at)
    )


class HostContext(NamedTuple):
    """What surrounds hosts; by host name where not said otherwise."""

    aggregates: tuple[Aggregate, ...]
    groups: dict[str, GroupRule]  # by group id
    in_groups: dict[str, dict[str, int]]  # by group id, then host: servers there
    images: frozenset[tuple[str, str]]  # (host, image id): the host has servers of the image
    building: dict[str, int]
    failures: dict[str, int]  # builds that failed there since


def host_context(tx: Tx, since: datetime, *, with_images: bool = True) -> HostContext:
    """All of it, with the builds that failed after `since`; images only if asked for: there is one or more a host."""
    placed = servers.c.host.is_not(None)
    building = select(servers.c.host, func.count().label("amount")).where(
        placed, servers.c.lifecycle == Lifecycle.BUILDING
    )
    failed = select(saga_events.c.host, func.count().label("amount")).where(
        saga_events.c.event == _FAILED, saga_events.c.at >= since, saga_events.c.host.is_not(None)
    )
    images = select(servers.c.host, servers.c.image_id).where(placed, servers.c.image_id.is_not(None)).distinct()
    return HostContext(
        aggregates=tuple(aggregates.every(tx)),
        groups=server_groups.rules(tx),
        in_groups=server_groups.counters(tx),
        images=frozenset((row.host, row.image_id) for row in tx.execute(images)) if with_images else frozenset(),
        building={row.host: row.amount for row in tx.execute(building.group_by(servers.c.host))},
        failures={row.host: row.amount for row in tx.execute(failed.group_by(saga_events.c.host))},
    )


def hosts_of_servers(tx: Tx, server_ids: list[str]) -> tuple[str, ...]:
    """The hosts that these servers are on, those of them that are on one."""
    query = select(servers.c.host).where(servers.c.id.in_(server_ids), servers.c.host.is_not(None)).distinct()
    return tuple(tx.execute(query).scalars())
