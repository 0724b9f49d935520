"""
Aggregates, which hosts are in them, and the zones that follow from it.

A host's `zone` column says what its aggregates say. Whoever changes a membership or a zone's name calls `settle_zones` in the
same transaction. That, or `touch` where no zone is concerned, marks the hosts as changed, so that schedulers read them again.
Aggregates are locked by their numbers, and before hosts; memberships are written with both locked.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import bindparam, delete, insert, select, update

from kilonova.domain.aggregate import DEFAULT_ZONE, ZONE_KEY, Aggregate
from kilonova.domain.errors import Missing
from kilonova.store.database import Tx
from kilonova.store.queries import hosts as host_rows
from kilonova.store.queries.text import in_order
from kilonova.store.tables.hosts import hosts
from kilonova.store.tables.placement import aggregate_hosts, aggregates

_MEMBERS = (
    select(aggregate_hosts.c.aggregate_id, hosts.c.name)
    .join(hosts, hosts.c.id == aggregate_hosts.c.host_id)
    .order_by(in_order(hosts.c.name))
)
_MEMBERS_OF_ONE = _MEMBERS.where(aggregate_hosts.c.aggregate_id == bindparam("aggregate"))
_EVERY = select(aggregates).order_by(aggregates.c.number)
_BY_NUMBER = select(aggregates).where(aggregates.c.number == bindparam("number"))
_IDS_BY_HOST = select(aggregate_hosts.c.host_id, aggregate_hosts.c.aggregate_id).order_by(
    aggregate_hosts.c.aggregate_id
)
_FACTS_BY_HOST = (
    select(hosts.c.name, aggregates.c.metadata)
    .join(aggregate_hosts, aggregate_hosts.c.host_id == hosts.c.id)
    .join(aggregates, aggregates.c.id == aggregate_hosts.c.aggregate_id)
)
_LOCK = select(hosts.c.id, hosts.c.name, hosts.c.zone).order_by(hosts.c.id).with_for_update()
_SET_ZONE = (
    update(hosts).where(hosts.c.id == bindparam("host")).values(zone=bindparam("where"), updated_at=bindparam("at"))
)
_MOST = 10_000  # names in one statement


def every(tx: Tx, *, for_change: bool = False) -> list[Aggregate]:
    """All aggregates with their hosts, by number, in two queries; locked against other changes `for_change`."""
    rows = tx.execute(_EVERY.with_for_update() if for_change else _EVERY).all()
    members: dict[str, list[str]] = {}
    for row in tx.execute(_MEMBERS):
        members.setdefault(row.aggregate_id, []).append(row.name)
    return [_aggregate(row, members.get(row.id, ())) for row in rows]


def get(tx: Tx, number: int, *, for_change: bool = False) -> Aggregate:
    """One aggregate, locked against other changes `for_change`. Raises Missing."""
    row = tx.execute(_BY_NUMBER.with_for_update() if for_change else _BY_NUMBER, {"number": number}).first()
    if row is None:
        raise Missing("Aggregate", number)
    return _aggregate(row, [one.name for one in tx.execute(_MEMBERS_OF_ONE, {"aggregate": row.id})])


def is_taken(tx: Tx, name: str) -> bool:
    """Whether an aggregate has this name."""
    return tx.execute(select(aggregates.c.id).where(aggregates.c.name == name)).first() is not None


def add(tx: Tx, new: Aggregate) -> None:
    """Write a new aggregate, without hosts."""
    values = msgspec.structs.asdict(new)
    del values["hosts"]
    tx.execute(insert(aggregates), values)


def change(tx: Tx, aggregate: Aggregate, now: datetime, **values: Any) -> None:
    """Change its `name` or its `metadata`."""
    tx.execute(update(aggregates).where(aggregates.c.id == aggregate.id).values(updated_at=now, **values))


def remove(tx: Tx, aggregate: Aggregate) -> None:
    """Delete an aggregate; its hosts stay."""
    tx.execute(delete(aggregates).where(aggregates.c.id == aggregate.id))


def add_host(tx: Tx, aggregate: Aggregate, host_id: str) -> None:
    """Put a host in."""
    tx.execute(insert(aggregate_hosts), {"aggregate_id": aggregate.id, "host_id": host_id})


def remove_host(tx: Tx, aggregate: Aggregate, host_id: str) -> None:
    """Take a host out."""
    held = (aggregate_hosts.c.aggregate_id == aggregate.id) & (aggregate_hosts.c.host_id == host_id)
    tx.execute(delete(aggregate_hosts).where(held))


def ids_by_host(tx: Tx) -> dict[str, list[str]]:
    """The ids of each host's aggregates, by the host's id; a host in none is left out."""
    found: dict[str, list[str]] = {}
    for row in tx.execute(_IDS_BY_HOST):
        found.setdefault(row.host_id, []).append(row.aggregate_id)
    return found


def zones(tx: Tx, names: Sequence[str]) -> dict[str, set[str]]:
    """The zones that these hosts' aggregates put them in: one or none, unless a change under way is to be refused."""
    found: dict[str, set[str]] = {name: set() for name in names}
    for some in _batches(names):
        for row in tx.execute(_FACTS_BY_HOST.where(hosts.c.name.in_(some))):
            if row.metadata.get(ZONE_KEY):
                found[row.name].add(row.metadata[ZONE_KEY])
    return found


def settle_zones(tx: Tx, names: Sequence[str], now: datetime) -> list[str]:
    """
    Write on these hosts the zone that their aggregates give them. Returns the names of those that thereby moved.

    The hosts stay locked: what is claimed on them does not change until this transaction ends.
    """
    wanted, moved = zones(tx, names), []
    for some in _batches(names):
        rows = tx.execute(_LOCK.where(hosts.c.name.in_(some))).all()
        places = {row.name: min(wanted[row.name], default=DEFAULT_ZONE) for row in rows}
        moved += [row.name for row in rows if row.zone != places[row.name]]
        if rows:
            tx.execute(_SET_ZONE, [{"host": row.id, "where": places[row.name], "at": now} for row in rows])
    return moved


def touch(tx: Tx, names: Sequence[str], now: datetime) -> None:
    """Mark these hosts as changed: their aggregates' facts are not what they were."""
    for some in _batches(names):
        host_rows.change(tx, some, updated_at=now)


def _batches(names: Sequence[str]) -> Iterator[Sequence[str]]:
    for start in range(0, len(names), _MOST):
        yield names[start : start + _MOST]


def _aggregate(row: Any, members: Sequence[str]) -> Aggregate:
    return Aggregate(**row._mapping, hosts=tuple(members))  # noqa: SLF001 - SQLAlchemy's documented row accessor
