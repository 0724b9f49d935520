"""How the fleet fares, in a few numbers: cheap enough for a scrape every few seconds."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

from sqlalchemy import func, literal_column, select

from kilonova.domain.saga import RUNNING, SagaStatus
from kilonova.store.database import Tx
from kilonova.store.tables.hosts import hosts
from kilonova.store.tables.sagas import sagas

# Written out, not bound, so that the partial index on live sagas serves.
_LIVE = sagas.c.status.in_([literal_column(f"'{status}'") for status in sorted({*RUNNING, SagaStatus.QUEUED})])


class InFlight(NamedTuple):
    """Sagas of a kind in a status, how many, and since when the oldest."""

    kind: str
    status: str
    number: int
    oldest: datetime


def in_flight(tx: Tx) -> list[InFlight]:
    """Sagas that have not ended."""
    oldest = func.min(sagas.c.created_at, type_=sagas.c.created_at.type)
    query = select(sagas.c.kind, sagas.c.status, func.count().label("number"), oldest.label("oldest")).where(_LIVE)
    rows = tx.execute(query.group_by(sagas.c.kind, sagas.c.status))
    return [InFlight(kind=row.kind, status=row.status, number=row.number, oldest=row.oldest) for row in rows]


def leases_run_out(tx: Tx, now: datetime) -> int:
    """Sagas whose runner died with them, and that nobody has taken over yet."""
    query = select(func.count()).select_from(sagas).where(_LIVE, sagas.c.lease_until <= now)
    return int(tx.execute(query).scalar_one())


def heard_of(tx: Tx) -> dict[str, datetime]:
    """When each host was last heard of."""
    query = select(hosts.c.name, hosts.c.seen_at).where(hosts.c.seen_at.is_not(None))
    return {str(row.name): row.seen_at for row in tx.execute(query)}
