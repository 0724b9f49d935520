"""Events of servers, in an order that a reader can go by."""

from __future__ import annotations

from typing import Any

import msgspec
from sqlalchemy import Column, bindparam, func, select, update

from kilonova.domain.event import ServerEvent, ServerState
from kilonova.store.database import Tx
from kilonova.store.queries.counters import next_number
from kilonova.store.tables.events import events

_AT_ONCE = 1000
_STATE = msgspec.json.Decoder(ServerState)
_NUMBER = update(events).where(events.c.id == bindparam("event_id")).values(number=bindparam("to"))


def number_new(tx: Tx) -> int:
    """
    Give events that were committed their numbers; how many. Call it on PostgreSQL before reading, in a transaction of its own.

    The counter's row is held first and until the commit, so numbers are given, and seen, in one order.
    """
    if _is_ordered_by_id(tx):
        return 0
    next_number(tx, "events", 0)
    new = list(
        tx.execute(select(events.c.id).where(events.c.number.is_(None)).order_by(events.c.id).limit(_AT_ONCE)).scalars()
    )
    if new:
        first = next_number(tx, "events", len(new))
        tx.execute(_NUMBER, [{"event_id": ident, "to": first + at} for at, ident in enumerate(new)])
    return len(new)


def span(tx: Tx) -> tuple[int, int]:
    """After the first of these numbers all events are kept, after the second there are none yet."""
    number = _number(tx)
    row = tx.execute(select(func.min(number).label("oldest"), func.max(number).label("newest"))).one()
    return (0, 0) if row.newest is None else (row.oldest - 1, row.newest)


def after(tx: Tx, number: int, limit: int, project_id: str | None = None) -> list[ServerEvent]:
    """The first events after a number, of one project or of all."""
    of_all = _number(tx)
    query = select(events, of_all.label("place")).where(of_all > number).order_by(of_all).limit(limit)
    if project_id is not None:
        query = query.where(events.c.project_id == project_id)
    return [_event(row) for row in tx.execute(query)]


def _number(tx: Tx) -> Column[Any]:
    return events.c.id if _is_ordered_by_id(tx) else events.c.number


def _is_ordered_by_id(tx: Tx) -> bool:
    """SQLite has one writer."""
    return tx.connection.dialect.name == "sqlite"


def _event(row: Any) -> ServerEvent:
    return ServerEvent(
        number=row.place, at=row.at, server_id=row.server_id, project_id=row.project_id,
        was=None if row.was is None else _STATE.decode(row.was), now=_STATE.decode(row.now),
    )  # fmt: skip
