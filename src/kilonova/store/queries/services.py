"""
Services as operators list and switch them: the control plane's, and on each host the one called `nova-compute`.

A host's service has no row of its own: the host's record says whether it is enabled and alive. The old integer ids of both are
kept apart by an offset.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import delete, insert, select, update

from kilonova.domain.clock import Ids
from kilonova.domain.errors import Missing
from kilonova.domain.host import ServiceRecord
from kilonova.store.database import Tx
from kilonova.store.queries.counters import next_number
from kilonova.store.tables.host_access import seal_keys
from kilonova.store.tables.hosts import hosts, services

COMPUTE = "nova-compute"
_CONTROL_PLANE_FROM = 1_000_000


def listed(tx: Tx, *, host: str | None = None, binary: str | None = None) -> list[ServiceRecord]:
    """Every service, the control plane's first; those of one host or binary, if named."""
    ours, theirs = select(services).order_by(services.c.number), select(hosts).order_by(hosts.c.number)
    if host is not None:
        ours, theirs = ours.where(services.c.host == host), theirs.where(hosts.c.name == host)
    if binary is not None:
        ours = ours.where(services.c.binary == binary)
    found = [_of_service(row) for row in tx.execute(ours)]
    return found if binary not in (None, COMPUTE) else [*found, *(_of_host(row) for row in tx.execute(theirs))]


def get(tx: Tx, ident: str) -> ServiceRecord:
    """A service by UUID, or by its number in digits. Raises Missing."""
    is_number = ident.isascii() and ident.isdigit() and len(ident) < 10
    number = int(ident) if is_number else 0
    host = tx.execute(
        select(hosts).where(hosts.c.number == number if is_number else hosts.c.service_id == ident)
    ).first()
    if host is not None:
        return _of_host(host)
    named = services.c.number == number - _CONTROL_PLANE_FROM if is_number else services.c.id == ident
    row = tx.execute(select(services).where(named)).first()
    if row is None:
        raise Missing("Service", ident[:255])
    return _of_service(row)


def named(tx: Tx, host: str, binary: str) -> ServiceRecord:
    """A service by its host and binary. Raises Missing."""
    found = listed(tx, host=host, binary=binary)
    if not found:
        raise Missing("Service", f"{binary[:64]} on host {host[:255]}")
    return found[0]


def switch(tx: Tx, service: ServiceRecord, **values: Any) -> None:
    """Change `disabled`, `disabled_reason`, `forced_down`, `updated_at` of a service."""
    if service.binary == COMPUTE:
        tx.execute(update(hosts).where(hosts.c.service_id == service.id).values(**values))
    else:
        tx.execute(update(services).where(services.c.id == service.id).values(**values))


def remove(tx: Tx, service: ServiceRecord) -> None:
    """Delete a service; for a host's, the host with it, which must be empty."""
    if service.binary == COMPUTE:
        tx.execute(delete(hosts).where(hosts.c.service_id == service.id))
        tx.execute(delete(seal_keys).where(seal_keys.c.host == service.host))
    else:
        tx.execute(delete(services).where(services.c.id == service.id))


def _of_service(row: Any) -> ServiceRecord:
    fields = dict(row._mapping)  # noqa: SLF001 - SQLAlchemy's documented row accessor
    return ServiceRecord(**{**fields, "number": row.number + _CONTROL_PLANE_FROM})


def _of_host(row: Any) -> ServiceRecord:
    return ServiceRecord(
        id=row.service_id, number=row.number, binary=COMPUTE, host=row.name, zone=row.zone, disabled=row.disabled,
        disabled_reason=row.disabled_reason, forced_down=row.forced_down, seen_at=row.seen_at or row.created_at,
        created_at=row.created_at, updated_at=row.updated_at,
    )  # fmt: skip


def beat(tx: Tx, binary: str, host: str, *, ids: Ids, now: datetime) -> None:
    """A control-plane service is alive; written down when it is new."""
    here = (services.c.binary == binary, services.c.host == host)
    if tx.execute(update(services).where(*here).values(seen_at=now)).rowcount:
        return
    values = {
        "id": ids.uuid(), "number": next_number(tx, "services"), "binary": binary, "host": host, "zone": "internal",
        "disabled": False, "forced_down": False, "seen_at": now, "created_at": now,
    }  # fmt: skip
    tx.execute(insert(services), values)
