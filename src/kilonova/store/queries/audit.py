"""What the records hold that should not be there: rows without an owner, counters that do not add up, states nothing will end."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, func, or_, select

from kilonova.domain.allocation import AllocationRole
from kilonova.domain.saga import LIVE, RUNNING
from kilonova.domain.server import Intent, Lifecycle
from kilonova.store.database import Tx
from kilonova.store.tables.compute import quota_usage, servers
from kilonova.store.tables.hosts import allocations, hosts
from kilonova.store.tables.network import fixed_ips, ports
from kilonova.store.tables.sagas import sagas

_ALIVE = servers.c.lifecycle != Lifecycle.DELETED
_IS_CURRENT = allocations.c.role == AllocationRole.CURRENT
_AT_REST = and_(servers.c.saga.is_(None), servers.c.lifecycle == Lifecycle.BUILT)


def stuck_servers(tx: Tx) -> list[str]:
    """Servers being built or deleted, or shown as being worked on, with no live saga to end it."""
    live = select(sagas.c.subject_id).where(sagas.c.status.in_(LIVE))
    passing = or_(
        servers.c.lifecycle == Lifecycle.BUILDING,
        servers.c.saga.is_not(None),
        and_(servers.c.intent == Intent.DELETED, _ALIVE),
    )
    return _ids(tx, select(servers.c.id).where(passing, _ALIVE, servers.c.id.not_in(live)))


def stuck_sagas(tx: Tx, now: datetime, late_by: timedelta) -> list[str]:
    """Sagas that should have gone on `late_by` ago, or that are queued behind nothing."""
    running = select(sagas.c.subject_id).where(sagas.c.status.in_(RUNNING))
    late = and_(sagas.c.status.in_(RUNNING), sagas.c.wake_at < now - late_by, _unleased(now))
    orphaned = and_(sagas.c.status == "queued", sagas.c.subject_id.not_in(running))
    return _ids(tx, select(sagas.c.id).where(or_(late, orphaned)))


def ports_without_server(tx: Tx) -> list[str]:
    """Ports made for a server that is gone."""
    gone = or_(ports.c.server_id.is_(None), ports.c.server_id.not_in(select(servers.c.id).where(_ALIVE)))
    return _ids(tx, select(ports.c.id).where(ports.c.made_by_compute, gone))


def addresses_without_port(tx: Tx) -> list[str]:
    """Addresses taken by no port."""
    there = select(ports.c.id)
    rows = tx.execute(select(fixed_ips.c.address).where(fixed_ips.c.port_id.not_in(there)))
    return [str(row.address) for row in rows]


def allocations_without_server(tx: Tx) -> list[str]:
    """Servers that are gone and have something allocated yet, or whose `current` allocation is not on their host."""
    alive = select(servers.c.id).where(_ALIVE)
    placed = select(allocations.c.server_id).join(hosts, hosts.c.id == allocations.c.host_id).join(
        servers, and_(servers.c.id == allocations.c.server_id, servers.c.host == hosts.c.name)
    )  # fmt: skip
    elsewhere = and_(_IS_CURRENT, allocations.c.server_id.not_in(placed.where(_IS_CURRENT)))
    return _ids(
        tx, select(allocations.c.server_id).where(or_(allocations.c.server_id.not_in(alive), elsewhere)).distinct()
    )


def servers_without_allocation(tx: Tx) -> list[str]:
    """Servers on a host on which they have nothing allocated."""
    held = select(allocations.c.server_id).where(_IS_CURRENT)
    return _ids(tx, select(servers.c.id).where(_ALIVE, servers.c.host.is_not(None), servers.c.id.not_in(held)))


def hosts_that_do_not_add_up(tx: Tx) -> list[str]:
    """Hosts whose counters differ from the sum of what is allocated on them."""
    sums = select(
        allocations.c.host_id, func.sum(allocations.c.vcpus).label("vcpus"), func.sum(allocations.c.ram_mib).label("ram"),
        func.sum(allocations.c.disk_gib).label("disk"), func.count().label("servers"),
    ).group_by(allocations.c.host_id).subquery()  # fmt: skip
    off = or_(
        hosts.c.vcpus_used != func.coalesce(sums.c.vcpus, 0),
        hosts.c.ram_mib_used != func.coalesce(sums.c.ram, 0),
        hosts.c.disk_gib_used != func.coalesce(sums.c.disk, 0),
        hosts.c.servers != func.coalesce(sums.c.servers, 0),
    )
    return _ids(tx, select(hosts.c.name).outerjoin(sums, sums.c.host_id == hosts.c.id).where(off))


def quotas_that_do_not_add_up(tx: Tx) -> list[str]:
    """Projects whose counted use of instances, cores or RAM is not what their servers use, as `project/resource`."""
    real: dict[tuple[str, str], int] = {}
    for row in tx.execute(select(servers.c.project_id, servers.c.flavor).where(_ALIVE)):
        for resource, amount in (("instances", 1), ("cores", row.flavor.vcpus), ("ram", row.flavor.ram_mib)):
            real[row.project_id, resource] = real.get((row.project_id, resource), 0) + amount
    counted = {
        (row.project_id, row.resource): row.used
        for row in tx.execute(select(quota_usage))
        if row.resource in ("instances", "cores", "ram")
    }
    return sorted("/".join(key) for key in real.keys() | counted.keys() if real.get(key, 0) != counted.get(key, 0))


def should_be_on(tx: Tx, host: str) -> dict[str, bool]:
    """
    Servers whose machine may be on a host, and whether it must be: those with an allocation there.

    It must be there when the host is its current one and nothing is under way with it.
    """
    query = (
        select(allocations.c.server_id, and_(_IS_CURRENT, _AT_REST).label("must"))
        .join(hosts, hosts.c.id == allocations.c.host_id)
        .join(servers, servers.c.id == allocations.c.server_id)
        .where(hosts.c.name == host, _ALIVE)
        .order_by(allocations.c.server_id, allocations.c.role)
    )
    found: dict[str, bool] = {}
    for row in tx.execute(query):
        found[row.server_id] = found.get(row.server_id, False) or bool(row.must)
    return found


def _unleased(now: datetime) -> ColumnElement[bool]:
    return or_(sagas.c.lease_until.is_(None), sagas.c.lease_until <= now)


def _ids(tx: Tx, query: Select[Any]) -> list[str]:
    return [str(row[0]) for row in tx.execute(query)]
