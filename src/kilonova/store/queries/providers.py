"""
Hosts, claims and traits as Placement reads and sets them: the records that schedulers and sagas use, and no others.

A host's traits are what its agent found, what operators said of it, and one that says that it is disabled.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import delete, func, insert, select, update

from kilonova.domain.host import Host
from kilonova.domain.resource import DISABLED_TRAIT, DISK_GB, MEMORY_MB, VCPU, Allocation, Provider
from kilonova.store.database import Tx
from kilonova.store.queries import aggregates, hosts, hosts_view
from kilonova.store.queries.text import in_order
from kilonova.store.tables import hosts as tables
from kilonova.store.tables.compute import servers
from kilonova.store.tables.placement import custom_traits, host_traits, resource_classes

_AMOUNTS = {
    VCPU: tables.allocations.c.vcpus,
    MEMORY_MB: tables.allocations.c.ram_mib,
    DISK_GB: tables.allocations.c.disk_gib,
}
_ALLOCATIONS = (
    select(
        tables.allocations, servers.c.project_id, servers.c.user_id, tables.hosts.c.generation
    )
    .join(servers, servers.c.id == tables.allocations.c.server_id)
    .join(tables.hosts, tables.hosts.c.id == tables.allocations.c.host_id)
    .order_by(tables.allocations.c.server_id)
)  # fmt: skip


def every(tx: Tx) -> list[Provider]:
    """All hosts, in three queries."""
    said, held = said_traits(tx), aggregates.ids_by_host(tx)
    return [_provider(host, said.get(host.id, ()), held.get(host.id, ())) for host in hosts.every(tx)]


def get(tx: Tx, host_id: str) -> Provider:
    """One host by UUID. Raises Missing."""
    host = hosts_view.get(tx, host_id if len(host_id) == 36 else "")
    query = select(host_traits.c.name).where(host_traits.c.host_id == host.id)
    held = [one.id for one in aggregates.every(tx) if host.name in one.hosts]
    return _provider(host, [row.name for row in tx.execute(query)], held)


def said_traits(tx: Tx) -> dict[str, list[str]]:
    """What operators say that hosts have, by host id: schedulers add it to what agents found."""
    found: dict[str, list[str]] = {}
    for row in tx.execute(select(host_traits).order_by(in_order(host_traits.c.name))):
        found.setdefault(row.host_id, []).append(row.name)
    return found


def advance(tx: Tx, host_id: str, generation: int, now: datetime, **values: Any) -> bool:
    """Change a host's record if it is still of this generation; says whether it was."""
    changed = update(tables.hosts).where(tables.hosts.c.id == host_id, tables.hosts.c.generation == generation)
    return bool(tx.execute(changed.values(generation=generation + 1, updated_at=now, **values)).rowcount)


def say_traits(tx: Tx, host_id: str, names: Iterable[str]) -> None:
    """Replace what operators say that a host has."""
    tx.execute(delete(host_traits).where(host_traits.c.host_id == host_id))
    rows = [{"host_id": host_id, "name": name} for name in names]
    if rows:
        tx.execute(insert(host_traits), rows)


def trait_in_use(tx: Tx, name: str) -> bool:
    """Whether an operator says of any host that it has this trait."""
    return tx.execute(select(host_traits.c.host_id).where(host_traits.c.name == name).limit(1)).first() is not None


def custom(tx: Tx, kind: str) -> list[str]:
    """The names that operators added, of `traits` or of `resource_classes`."""
    table = _CUSTOM[kind]
    return [row.name for row in tx.execute(select(table.c.name).order_by(in_order(table.c.name)))]


def add_custom(tx: Tx, kind: str, name: str, now: datetime) -> bool:
    """Add a name; False when it was there."""
    if name in custom(tx, kind):
        return False
    tx.execute(insert(_CUSTOM[kind]), {"name": name, "created_at": now})
    return True


def remove_custom(tx: Tx, kind: str, name: str) -> bool:
    """Take a name away; False when it was not there."""
    return bool(tx.execute(delete(_CUSTOM[kind]).where(_CUSTOM[kind].c.name == name)).rowcount)


def allocations(tx: Tx, *, server_id: str | None = None, host_id: str | None = None) -> list[Allocation]:
    """The claims of one server, or on one host."""
    query = _ALLOCATIONS
    if server_id is not None:
        query = query.where(tables.allocations.c.server_id == server_id)
    if host_id is not None:
        query = query.where(tables.allocations.c.host_id == host_id)
    return [
        Allocation(
            server_id=row.server_id, project_id=row.project_id, user_id=row.user_id, host_id=row.host_id,
            generation=row.generation, resources=_amounts(row),
        )
        for row in tx.execute(query)
    ]  # fmt: skip


def usage(tx: Tx, project_id: str, user_id: str | None = None) -> tuple[int, dict[str, int]]:
    """How many servers of a project, or of a user in it, have claims, and the sum of these."""
    sums = (func.coalesce(func.sum(column), 0) for column in _AMOUNTS.values())
    query = (
        select(func.count(), *sums)
        .select_from(tables.allocations)
        .join(servers, servers.c.id == tables.allocations.c.server_id)
    )
    query = query.where(servers.c.project_id == project_id)
    if user_id is not None:
        query = query.where(servers.c.user_id == user_id)
    row = tuple(tx.execute(query).one())
    return int(row[0]), {name: int(amount) for name, amount in zip(_AMOUNTS, row[1:], strict=True) if amount}


_CUSTOM: Mapping[str, Any] = {"traits": custom_traits, "resource_classes": resource_classes}


def _amounts(row: Any) -> dict[str, int]:
    found = {VCPU: row.vcpus, MEMORY_MB: row.ram_mib, DISK_GB: row.disk_gib}
    return {name: amount for name, amount in found.items() if amount}


def _provider(host: Host, said: Iterable[str], held: Iterable[str]) -> Provider:
    traits = {*host.facts.traits, *said, *((DISABLED_TRAIT,) if host.disabled else ())}
    return Provider(host=host, traits=frozenset(traits), aggregates=frozenset(held))
