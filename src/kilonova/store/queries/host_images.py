"""Which images a host has business with: those of the servers that are, or are being made, on it."""

from __future__ import annotations

from sqlalchemy import select

from kilonova.domain.saga import Event
from kilonova.domain.server import Lifecycle
from kilonova.store.database import Tx
from kilonova.store.tables.compute import servers
from kilonova.store.tables.sagas import saga_events, sagas


def has_server_of(tx: Tx, host: str, image_id: str) -> bool:
    """Whether a server on the host is made from this image."""
    there = (servers.c.host == host, servers.c.image_id == image_id, servers.c.lifecycle != Lifecycle.DELETED)
    return tx.execute(select(servers.c.id).where(*there).limit(1)).first() is not None


def disks_on(tx: Tx, host: str) -> list[str]:
    """What the sagas of the servers on a host resolved as disks, as JSON: kernels and further disks have images too."""
    rows = (
        select(saga_events.c.result)
        .join(sagas, sagas.c.id == saga_events.c.saga_id)
        .join(servers, servers.c.id == sagas.c.subject_id)
        .where(servers.c.host == host, servers.c.lifecycle != Lifecycle.DELETED)
        .where(saga_events.c.step == "block_devices", saga_events.c.event == Event.STEP_DONE)
    )
    return list(tx.execute(rows).scalars())
