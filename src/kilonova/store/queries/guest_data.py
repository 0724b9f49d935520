"""Servers whose hosts must still hear what changed of that which their guests may read."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import delete, exists, or_, select, update
from sqlalchemy.dialects import postgresql, sqlite

from kilonova.domain.server import Lifecycle, Server
from kilonova.store.database import Tx
from kilonova.store.queries.server_row import server_of
from kilonova.store.tables.compute import guest_data_changes as changes
from kilonova.store.tables.compute import servers

_IS_THERE = exists().where(servers.c.id == changes.c.server_id, servers.c.lifecycle != Lifecycle.DELETED)


def _mark(dialect: Any) -> Any:
    add = dialect.insert(changes)
    return add.on_conflict_do_update(index_elements=["server_id"], set_={"generation": None, "sent_at": None})


_MARK = {dialect.dialect.name: _mark(dialect) for dialect in (postgresql, sqlite)}


def mark(tx: Tx, server_id: str) -> None:
    """Something changed."""
    tx.execute(_MARK[tx.connection.dialect.name], {"server_id": server_id, "generation": None, "sent_at": None})


def due(tx: Tx, sent_before: datetime, most: int) -> list[Server]:
    """Servers at rest on a host, by id, of whose change nothing was sent, or before `sent_before` without an answer."""
    at_rest = (servers.c.lifecycle == Lifecycle.BUILT, servers.c.saga.is_(None), servers.c.host.is_not(None))
    unheard = or_(changes.c.sent_at.is_(None), changes.c.sent_at <= sent_before)
    query = select(servers).join(changes, changes.c.server_id == servers.c.id).where(*at_rest, unheard)
    return [server_of(row) for row in tx.execute(query.order_by(servers.c.id).limit(most))]


def sent(tx: Tx, server_id: str, generation: int, now: datetime) -> None:
    """A command of this generation tells its host."""
    told = update(changes).where(changes.c.server_id == server_id)
    tx.execute(told.values(generation=generation, sent_at=now))


def confirmed(tx: Tx, server_id: str, generation: int) -> None:
    """Its host has done what a command of this generation says; if something changed since, that is still due."""
    tx.execute(delete(changes).where(changes.c.server_id == server_id, changes.c.generation == generation))


def forget_deleted(tx: Tx) -> int:
    """Of deleted servers there is nobody to tell. Returns how many."""
    return tx.execute(delete(changes).where(~_IS_THERE)).rowcount
