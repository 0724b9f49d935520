"""
Removing the records of what is over, a few at a time: what is old, or more than is kept.

Each function removes one batch, oldest first, in the caller's transaction, and says how many rows of its kind went. Rows are
locked in the house's order (servers before sagas); rows that another transaction holds are left for the next time.

What is never removed: a server that is there, with what it was asked to be; a deleted one whose saga still works, or
that was sent to a host not heard of since the deletion (its machine may still run there, and is known as a stray by this record
alone); a deleted image that a server which is there was made from.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Column, ColumnElement, Select, Table, and_, delete, exists, or_, select

from kilonova.domain.saga import LIVE
from kilonova.domain.server import Lifecycle
from kilonova.store.database import Tx
from kilonova.store.tables.compute import server_actions, servers
from kilonova.store.tables.events import events
from kilonova.store.tables.host_access import image_grants
from kilonova.store.tables.hosts import hosts
from kilonova.store.tables.image import images
from kilonova.store.tables.network import ports
from kilonova.store.tables.placement import server_group_members
from kilonova.store.tables.sagas import saga_events, sagas
from kilonova.store.tables.server_specs import block_devices, request_specs

BATCH = 200
_AT_WORK = exists().where(sagas.c.subject_id == servers.c.id, sagas.c.status.in_(LIVE))
_ON_A_SILENT_HOST = exists(
    select(saga_events.c.seq)
    .join(sagas, sagas.c.id == saga_events.c.saga_id)
    .join(hosts, hosts.c.name == saga_events.c.host)
    .where(sagas.c.subject_id == servers.c.id)
    .where(or_(hosts.c.seen_at.is_(None), hosts.c.seen_at < servers.c.deleted_at))
)
_STOOD_ON = or_(
    exists().where(servers.c.image_id == images.c.id, servers.c.lifecycle != Lifecycle.DELETED),
    exists(
        select(block_devices.c.position)
        .join(servers, servers.c.id == block_devices.c.server_id)
        .where(block_devices.c.image_id == images.c.id, servers.c.lifecycle != Lifecycle.DELETED)
    ),
)
# What would be left without its server is a fault that `kilonova audit` counts, and no reason to stop the others' purge.
_HOLDS_SOMETHING = or_(
    exists().where(ports.c.server_id == servers.c.id), exists().where(server_group_members.c.server_id == servers.c.id)
)
_IS_LOCKED = exists().where(servers.c.id == server_actions.c.server_id, servers.c.locked)
# A host that was not heard of since may still have a machine of it: that it was sent there must be known.
_SENT_TO_A_SILENT_HOST = exists(
    select(saga_events.c.seq)
    .join(hosts, hosts.c.name == saga_events.c.host)
    .where(saga_events.c.saga_id == sagas.c.id)
    .where(or_(hosts.c.seen_at.is_(None), hosts.c.seen_at < sagas.c.finished_at))
)
# A process of the release before leaves what a server is in its boot's journal alone.
_IS_THE_ONLY_RECORD = and_(sagas.c.kind == "boot", ~exists().where(request_specs.c.server_id == sagas.c.subject_id))


def deleted_servers(tx: Tx, until: datetime) -> int:
    """Servers deleted by then, with their sagas, journals, stages and actions."""
    gone = _batch(tx, servers.c.deleted_at, until, ~_AT_WORK, ~_ON_A_SILENT_HOST, ~_HOLDS_SOMETHING)
    if gone:
        tx.execute(delete(sagas).where(sagas.c.subject_id.in_(gone)))  # journals and stages go with them
        tx.execute(delete(server_actions).where(server_actions.c.server_id.in_(gone)))
    return _remove(tx, servers, gone)


def ended_sagas(tx: Tx, until: datetime) -> int:
    """Sagas that ended by then, with their journals: what servers are stands in their own records."""
    kept = or_(_SENT_TO_A_SILENT_HOST, _IS_THE_ONLY_RECORD)
    return _remove(tx, sagas, _batch(tx, sagas.c.finished_at, until, ~kept))


def actions(tx: Tx, until: datetime) -> int:
    """What was done to servers by then, but for those that are locked: who locked them must be known."""
    return _remove(tx, server_actions, _batch(tx, server_actions.c.at, until, ~_IS_LOCKED))


def deleted_images(tx: Tx, until: datetime) -> int:
    """Records of images deleted by then."""
    return _remove(tx, images, _batch(tx, images.c.deleted_at, until, ~_STOOD_ON))


def events_before(tx: Tx, until: datetime) -> int:
    """Events of servers, the oldest; each is of a moment and nobody writes it again."""
    oldest = select(events.c.id).where(events.c.at <= until).order_by(events.c.at).limit(BATCH)
    return int(tx.execute(delete(events).where(events.c.id.in_(oldest.scalar_subquery()))).rowcount)


def image_grants_over(tx: Tx, until: datetime) -> int:
    """Leave to fetch images ahead of need that has run out by then; they are few, and go at once."""
    return int(tx.execute(delete(image_grants).where(image_grants.c.expires_at <= until)).rowcount)


def last_beyond(tx: Tx, ended: str, most: int) -> datetime | None:
    """When the newest of those ended that are more than `most`; `ended` is `servers` or `images`. None: they are no more."""
    column = {"servers": servers.c.deleted_at, "images": images.c.deleted_at}[ended]
    query = select(column).where(column.is_not(None)).order_by(column.desc()).offset(most).limit(1)
    found: datetime | None = tx.execute(query).scalar()
    return found


def _batch(tx: Tx, ended: Column[Any], until: datetime, *conditions: ColumnElement[bool]) -> list[str]:
    oldest: Select[Any] = select(ended.table.c.id).where(ended <= until, *conditions).order_by(ended).limit(BATCH)
    return sorted(tx.execute(oldest.with_for_update(of=ended.table, skip_locked=True)).scalars())


def _remove(tx: Tx, table: Table, ids: list[str]) -> int:
    return int(tx.execute(delete(table).where(table.c.id.in_(ids))).rowcount) if ids else 0
