"""
Sagas as they are run: leased, journaled, parked, ended.

Every write that moves a saga names the epoch its writer holds. When somebody else has taken the saga over, the write
touches no row and the writer learns that it lost the lease (`LostLease`); so two runners that both believe they own a
saga cannot both move it.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from heapq import merge
from typing import Any, NamedTuple

import msgspec
from sqlalchemy import (
    BindParameter,
    ColumnElement,
    Select,
    Update,
    and_,
    bindparam,
    func,
    literal_column,
    or_,
    select,
    update,
)

from kilonova.domain.saga import LIVE, RUNNING, JournalEvent, Saga, SagaStatus
from kilonova.store.database import Tx
from kilonova.store.queries.sagas import append_events, saga_of, show_at_work
from kilonova.store.tables.sagas import sagas

# Written out, not bound: only so can SQLite tell that the partial index on running sagas will do. All others are many more.
_IS_RUNNING = sagas.c.status.in_([literal_column(f"'{status}'") for status in RUNNING])
_IS_LIVE = sagas.c.status.in_([literal_column(f"'{status}'") for status in LIVE])  # as the index on them says it
_NOW = bindparam("now", type_=sagas.c.wake_at.type)
_FREE = or_(sagas.c.lease_until.is_(None), sagas.c.lease_until <= _NOW)


def _due_of(status: SagaStatus) -> Select[Any]:
    """Of one status alone: only so does the index give them in their order, and a page costs the same however many there are."""
    after_at = bindparam("after_at", type_=sagas.c.wake_at.type)
    after_id: BindParameter[str] = bindparam("after_id")
    return (
        select(sagas.c.wake_at, sagas.c.id, sagas.c.project_id, sagas.c.owner)
        .where(_IS_LIVE, sagas.c.status == literal_column(f"'{status}'"))
        .where(sagas.c.wake_at <= _NOW, sagas.c.wake_at >= after_at)
        .where(or_(sagas.c.wake_at > after_at, sagas.c.id > after_id), _FREE)
        .order_by(sagas.c.wake_at, sagas.c.id)
        .limit(bindparam("most"))
    )


_DUE = tuple(_due_of(status) for status in RUNNING)
_READY = (
    select(sagas.c.project_id)
    .where(_IS_LIVE, sagas.c.status == literal_column(f"'{SagaStatus.READY}'"), sagas.c.wake_at <= _NOW)
    .limit(bindparam("most"))
    .subquery()
)
_WAITING_FOR_US = select(_READY.c.project_id, func.count().label("many")).group_by(_READY.c.project_id)
_HAS_TO_DO = or_(
    sagas.c.status == SagaStatus.READY,
    and_(sagas.c.status == SagaStatus.PARKED, or_(sagas.c.wake_at <= _NOW, sagas.c.reply.is_not(None))),
)
_TAKE = (
    update(sagas)
    .where(sagas.c.id == bindparam("saga_id"), _HAS_TO_DO, _FREE)
    .values(epoch=sagas.c.epoch + 1)
    .returning(*sagas.c)
)
# What else is set comes with the parameters.
_HELD = update(sagas).where(sagas.c.id == bindparam("saga_id"), sagas.c.epoch == bindparam("held_epoch"))
_UPDATE_HELD = _HELD.returning(sagas.c.cancel)
_WAITING = (
    select(sagas.c.id, sagas.c.kind)
    .where(sagas.c.subject_id == bindparam("subject_id"), sagas.c.status == SagaStatus.QUEUED)
    .order_by(sagas.c.created_at, sagas.c.id)
    .limit(1)
)
_ANSWERED = (
    update(sagas)
    .where(sagas.c.id == bindparam("saga_id"), sagas.c.command_id == bindparam("command"))
    .where(sagas.c.status == SagaStatus.PARKED, sagas.c.reply.is_(None))
    .returning(sagas.c.wake_at, sagas.c.id, sagas.c.project_id)
)


class LostLease(Exception):
    """Another runner has taken this saga over (or it has ended); whoever sees this lets go of it."""


class Due(NamedTuple):
    """A saga that could go on since `wake_at`; `left_by` is the runner whose lease on it ran out."""

    wake_at: datetime
    id: str
    project_id: str | None
    left_by: str | None = None


def _due(row: Any) -> Due:
    return Due(row.wake_at, row.id, row.project_id)


_FIRST = Due(datetime(1970, 1, 1, tzinfo=UTC), "", None)


def due(tx: Tx, now: datetime, limit: int, *, after: Due | None = None) -> list[Due]:
    """
    Sagas that could go on: ready, or parked past their time; unleased, or with a lease that ran out.

    Those due longest first, up to `limit` of them, beginning behind `after`.
    """
    since = after or _FIRST
    asked = {"now": now, "after_at": since.wake_at, "after_id": since.id, "most": limit}
    found = ([_due(row)._replace(left_by=row.owner) for row in tx.execute(query, asked)] for query in _DUE)
    return list(merge(*found))[:limit]


def waiting(tx: Tx, now: datetime, most: int) -> dict[str | None, int]:
    """How many sagas of each project wait for a conductor, looking at no more than `most` of them."""
    return {row.project_id: row.many for row in tx.execute(_WAITING_FOR_US, {"now": now, "most": most})}


def take(tx: Tx, saga_id: str, owner: str, now: datetime, lease_s: float) -> Saga | None:
    """
    Lease a saga that has something to do and raise its epoch; None when there is nothing to do or somebody holds it.

    A parked saga may be taken before its time only when the reply it waits for has come.
    """
    lease = {"owner": owner, "lease_until": now + timedelta(seconds=lease_s), "updated_at": now}
    taken = tx.execute(_TAKE, {"saga_id": saga_id, "now": now, **lease}).first()
    return None if taken is None else saga_of(taken)


def record(tx: Tx, saga: Saga, *events: JournalEvent) -> bool:
    """
    Append events to the journal, and say whether the saga has been told to stop.

    Raises LostLease when `saga.epoch` is no longer the row's.
    """
    is_cancelled = _update_held(tx, saga, attempt=events[-1].attempt, updated_at=events[-1].at)
    append_events(tx, saga.id, events)
    return is_cancelled


def show_step(tx: Tx, saga: Saga, step: str | None) -> None:
    """Let the subject's record say which step of which saga it is at."""
    show_at_work(tx, saga.subject, saga.kind, step)


def park(tx: Tx, saga: Saga, *, command_id: str, host: str, wake_at: datetime) -> bool:
    """
    Let go of a saga that waits for `host` to report on a command. Says whether it has been told to stop meanwhile.

    Raises LostLease.
    """
    return _update_held(
        tx,
        saga,
        status=SagaStatus.PARKED,
        command_id=command_id,
        awaited_host=host,
        wake_at=wake_at,
        reply=None,
        owner=None,
        lease_until=None,
    )


def unpark(tx: Tx, saga: Saga, now: datetime) -> None:
    """Make a saga just parked ready again. Raises LostLease."""
    _release(tx, saga, status=SagaStatus.READY, wake_at=now)


def let_go(tx: Tx, saga: Saga, *, wake_at: datetime) -> None:
    """Give the lease back undone, to be taken again at `wake_at`. Raises LostLease."""
    _release(tx, saga, status=SagaStatus.READY, wake_at=wake_at, owner=None, lease_until=None)


def delay(tx: Tx, saga: Saga, now: datetime, delay_s: float) -> None:
    """Give the lease back as it is (ready or parked), to be taken again in `delay_s` seconds. Raises LostLease."""
    _release(tx, saga, wake_at=now + timedelta(seconds=delay_s), owner=None, lease_until=None)


def finish(tx: Tx, saga: Saga, status: SagaStatus, now: datetime) -> str | None:
    """End a saga and let the next one queued for its subject go. Returns that one's id. Raises LostLease."""
    _release(
        tx,
        saga,
        status=status,
        finished_at=now,
        owner=None,
        lease_until=None,
        command_id=None,
        awaited_host=None,
        reply=None,
        wake_at=None,
    )
    waiting = tx.execute(_WAITING, {"subject_id": saga.subject.id}).first()
    if waiting is None:
        show_at_work(tx, saga.subject, None, None)
        return None
    tx.execute(
        update(sagas).where(sagas.c.id == waiting.id).values(status=SagaStatus.READY, wake_at=now, updated_at=now)
    )
    show_at_work(tx, saga.subject, waiting.kind, None)
    return str(waiting.id)


def accept_reply(tx: Tx, command_id: str, reply: msgspec.Struct, now: datetime) -> Due | None:
    """
    Keep a host's report in the row of the saga that waits for it, and make that due. Returns the saga.

    A report nobody waits for (doubled, late, of a cancelled attempt) changes nothing: None. A saga's commands are named
    `<its id>/…`, so the row is found by its key.
    """
    asked = {"saga_id": command_id.partition("/")[0], "command": command_id}
    text = msgspec.json.encode(reply).decode()
    row = tx.execute(_ANSWERED, {**asked, "reply": text, "wake_at": now, "updated_at": now}).first()
    return None if row is None else _due(row)


def wake_host(tx: Tx, host: str, now: datetime) -> list[Due]:
    """Make every saga that waits for this host due at once: its agent has started anew. Returns them."""
    waits = and_(_IS_RUNNING, sagas.c.status == SagaStatus.PARKED, sagas.c.awaited_host == host)
    moved = _all_of(waits).where(waits).values(wake_at=now)
    return [_due(row) for row in tx.execute(moved.returning(sagas.c.wake_at, sagas.c.id, sagas.c.project_id))]


def renounce(tx: Tx, owner: str, now: datetime) -> int:
    """Free every lease that `owner` holds: its process has started anew, or is about to stop. Returns how many."""
    its = and_(sagas.c.owner == owner, _IS_RUNNING)
    freed = tx.execute(_all_of(its).where(its).values(owner=None, lease_until=None, updated_at=now))
    return int(freed.rowcount)


def _all_of(these: ColumnElement[bool]) -> Update:
    """A change of several sagas, locked in the order of their ids: nobody else who changes several waits the other way round."""
    return update(sagas).where(sagas.c.id.in_(select(sagas.c.id).where(these).order_by(sagas.c.id).with_for_update()))


def _release(tx: Tx, saga: Saga, **values: Any) -> None:
    moved = tx.execute(_HELD, {"saga_id": saga.id, "held_epoch": saga.epoch, **values})
    if moved.rowcount != 1:
        raise LostLease(saga.id)


def _update_held(tx: Tx, saga: Saga, **values: Any) -> bool:
    """Set these, and say whether the saga has been told to stop. Raises LostLease."""
    held = tx.execute(_UPDATE_HELD, {"saga_id": saga.id, "held_epoch": saga.epoch, **values}).first()
    if held is None:
        raise LostLease(saga.id)
    return bool(held.cancel)
