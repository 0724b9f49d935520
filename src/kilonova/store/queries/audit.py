"""What the records hold that should not be there: rows without an owner, counters that do not add up, states nothing will end."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, func, or_, select

from kilonova.domain.saga import LIVE, RUNNING
from kilonova.domain.server import Intent, Lifecycle
from kilonova.store.database import Tx
from kilonova.store.queries import server_facts
from kilonova.store.tables.compute import quota_usage, servers
from kilonova.store.tables.hosts import claims, hosts
from kilonova.store.tables.network import fixed_ips, ports
from kilonova.store.tables.sagas import sagas

_ALIVE = servers.c.lifecycle != Lifecycle.DELETED


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


def claims_without_server(tx: Tx) -> list[str]:
    """Claims of servers that are gone, or that are not on the host that holds the claim."""
    placed = select(claims.c.server_id).join(hosts, hosts.c.id == claims.c.host_id).join(
        servers, and_(servers.c.id == claims.c.server_id, servers.c.host == hosts.c.name)
    )  # fmt: skip
    rows = tx.execute(select(claims.c.server_id).where(claims.c.server_id.not_in(placed.where(_ALIVE))))
    return [str(row.server_id) for row in rows]


def servers_without_claim(tx: Tx) -> list[str]:
    """Servers on a host that holds no claim of theirs."""
    held = select(claims.c.server_id)
    return _ids(tx, select(servers.c.id).where(_ALIVE, servers.c.host.is_not(None), servers.c.id.not_in(held)))


def hosts_that_do_not_add_up(tx: Tx) -> list[str]:
    """Hosts whose counters differ from the sum of the claims on them."""
    sums = select(
        claims.c.host_id, func.sum(claims.c.vcpus).label("vcpus"), func.sum(claims.c.ram_mib).label("ram"),
        func.sum(claims.c.disk_gib).label("disk"), func.count().label("servers"),
    ).group_by(claims.c.host_id).subquery()  # fmt: skip
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
    """Servers that may be on a host, and whether they must be: one with a saga at work may be there or not."""
    return {
        server.id: server.saga is None and server.lifecycle is Lifecycle.BUILT
        for server in server_facts.on_host(tx, host)
    }


def _unleased(now: datetime) -> ColumnElement[bool]:
    return or_(sagas.c.lease_until.is_(None), sagas.c.lease_until <= now)


def _ids(tx: Tx, query: Select[Any]) -> list[str]:
    return [str(row[0]) for row in tx.execute(query)]
