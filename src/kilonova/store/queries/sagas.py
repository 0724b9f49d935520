"""
Sagas and their journals.

Two invariants live here and nowhere else. A server has one saga at work at a time (a partial unique index backs it): `start`
queues behind a live one and `finish` lets the next one go. And every write that moves a saga names the epoch its writer holds:
when somebody else has taken the saga over, the write touches no row and the caller learns that it lost the lease (`LostLease`).
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

import msgspec
from sqlalchemy import and_, insert, or_, select, update

from kilonova.domain.clock import Ids
from kilonova.domain.report import Stage
from kilonova.domain.saga import ENDED, LIVE, Event, JournalEvent, Saga, SagaStatus
from kilonova.store.database import Tx
from kilonova.store.tables.compute import servers
from kilonova.store.tables.sagas import saga_events, sagas, stages

_RUNNING = (SagaStatus.READY, SagaStatus.PARKED)


class LostLease(Exception):
    """Another runner has taken this saga over (or it has ended); whoever sees this lets go of it."""


class NewSaga(msgspec.Struct, frozen=True, kw_only=True):
    """A saga to be started; `params` is the kind's own parameter struct."""

    kind: str
    server_id: str
    project_id: str | None
    user_id: str | None
    request_id: str
    params: msgspec.Struct


def start(tx: Tx, new: NewSaga, *, ids: Ids, now: datetime) -> str:
    """Write a saga, ready to run, or queued when another of its server is at work. Returns its id."""
    saga_id = ids.uuid()
    busy = tx.execute(select(sagas.c.id).where(sagas.c.server_id == new.server_id, sagas.c.status.in_(LIVE))).first()
    status = SagaStatus.QUEUED if busy else SagaStatus.READY
    tx.execute(
        insert(sagas),
        {
            "id": saga_id, "kind": new.kind, "server_id": new.server_id, "project_id": new.project_id,
            "user_id": new.user_id, "request_id": new.request_id, "params": msgspec.json.encode(new.params).decode(),
            "status": status, "attempt": 1, "cancel": False, "epoch": 0, "wake_at": now, "created_at": now,
            "updated_at": now,
        },
    )  # fmt: skip
    _append(tx, saga_id, JournalEvent(seq=0, event=Event.STARTED, at=now, attempt=1))
    if status is SagaStatus.READY:
        _show_on_server(tx, new.server_id, new.kind, None)
    return saga_id


def cancel_live(tx: Tx, server_id: str, now: datetime) -> str | None:
    """Tell the server's running saga to stop and undo. Returns its id, None when none is at work."""
    row = tx.execute(select(sagas.c.id).where(sagas.c.server_id == server_id, sagas.c.status.in_(_RUNNING))).first()
    if row is None:
        return None
    tx.execute(
        update(sagas)
        .where(sagas.c.id == row.id)
        .values(cancel=True, status=SagaStatus.READY, wake_at=now, updated_at=now)
    )
    return str(row.id)


# --- the runner's side ------------------------------------------------------------------------------------------------


def due(tx: Tx, now: datetime, limit: int) -> list[str]:
    """Sagas that could go on: ready, or parked past their time; unleased, or with a lease that ran out. Oldest first."""
    free = or_(sagas.c.lease_until.is_(None), sagas.c.lease_until <= now)
    waiting = and_(sagas.c.status.in_(_RUNNING), or_(sagas.c.wake_at.is_(None), sagas.c.wake_at <= now))
    found = tx.execute(select(sagas.c.id).where(waiting, free).order_by(sagas.c.wake_at, sagas.c.id).limit(limit))
    return [str(row.id) for row in found]


def take(tx: Tx, saga_id: str, owner: str, now: datetime, lease_s: float) -> Saga | None:
    """
    Lease a saga that has something to do and raise its epoch; None when there is nothing to do or somebody holds it.

    A parked saga may be taken before its time only when the reply it waits for has come.
    """
    mine_or_free = or_(sagas.c.lease_until.is_(None), sagas.c.lease_until <= now)
    due_now = or_(
        sagas.c.status == SagaStatus.READY,
        and_(sagas.c.status == SagaStatus.PARKED, or_(sagas.c.wake_at <= now, sagas.c.reply.is_not(None))),
    )
    taken = tx.execute(
        update(sagas)
        .where(sagas.c.id == saga_id, due_now, mine_or_free)
        .values(owner=owner, epoch=sagas.c.epoch + 1, lease_until=now + timedelta(seconds=lease_s), updated_at=now)
        .returning(*sagas.c)
    ).first()
    return None if taken is None else _saga(taken)


def record(tx: Tx, saga: Saga, event: JournalEvent) -> bool:
    """
    Append one event to the journal, and say whether the saga has been told to stop.

    Raises LostLease when `saga.epoch` is no longer the row's.
    """
    held = tx.execute(
        update(sagas)
        .where(sagas.c.id == saga.id, sagas.c.epoch == saga.epoch)
        .values(attempt=event.attempt, updated_at=event.at)
        .returning(sagas.c.cancel)
    ).first()
    if held is None:
        raise LostLease(saga.id)
    _append(tx, saga.id, event)
    return bool(held.cancel)


def show_step(tx: Tx, saga: Saga, step: str | None) -> None:
    """Let the server's record say which step of which saga it is at."""
    _show_on_server(tx, saga.server_id, saga.kind, step)


def park(tx: Tx, saga: Saga, *, command_id: str | None, wake_at: datetime) -> bool:
    """
    Let go of a saga that waits for a host's report or for its time. Says whether it has been told to stop meanwhile.

    Raises LostLease.
    """
    row = tx.execute(
        update(sagas)
        .where(sagas.c.id == saga.id, sagas.c.epoch == saga.epoch)
        .values(
            status=SagaStatus.PARKED, command_id=command_id, wake_at=wake_at, reply=None, owner=None, lease_until=None
        )
        .returning(sagas.c.cancel)
    ).first()
    if row is None:
        raise LostLease(saga.id)
    return bool(row.cancel)


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
    """End a saga and let the next one queued for its server go. Returns that one's id. Raises LostLease."""
    _release(
        tx,
        saga,
        status=status,
        finished_at=now,
        owner=None,
        lease_until=None,
        command_id=None,
        reply=None,
        wake_at=None,
    )
    waiting = tx.execute(
        select(sagas.c.id, sagas.c.kind)
        .where(sagas.c.server_id == saga.server_id, sagas.c.status == SagaStatus.QUEUED)
        .order_by(sagas.c.created_at, sagas.c.id)
        .limit(1)
    ).first()
    if waiting is None:
        _show_on_server(tx, saga.server_id, None, None)
        return None
    tx.execute(
        update(sagas).where(sagas.c.id == waiting.id).values(status=SagaStatus.READY, wake_at=now, updated_at=now)
    )
    _show_on_server(tx, saga.server_id, waiting.kind, None)
    return str(waiting.id)


def accept_reply(tx: Tx, command_id: str, reply: msgspec.Struct, now: datetime) -> str | None:
    """
    Keep a host's report in the row of the saga that waits for it, and make that ready. Returns the saga's id.

    A report nobody waits for (doubled, late, of a cancelled attempt) changes nothing: None.
    """
    row = tx.execute(
        update(sagas)
        .where(sagas.c.command_id == command_id, sagas.c.status == SagaStatus.PARKED, sagas.c.reply.is_(None))
        .values(reply=msgspec.json.encode(reply).decode(), wake_at=now, updated_at=now)
        .returning(sagas.c.id)
    ).first()
    return None if row is None else str(row.id)


def wake_host(tx: Tx, host: str, now: datetime) -> list[str]:
    """Make every saga that may wait for this host due at once: its agent has started anew. Returns their ids."""
    there = select(servers.c.id).where(servers.c.host == host)
    rows = tx.execute(
        update(sagas)
        .where(sagas.c.status == SagaStatus.PARKED, sagas.c.server_id.in_(there))
        .values(wake_at=now)
        .returning(sagas.c.id)
    )
    return [str(row.id) for row in rows]


def next_wake(tx: Tx) -> datetime | None:
    """When the next saga is due; None when none lives."""
    row = tx.execute(
        select(sagas.c.wake_at).where(sagas.c.status.in_(_RUNNING)).order_by(sagas.c.wake_at).limit(1)
    ).first()
    return None if row is None else row.wake_at


def renounce(tx: Tx, owner: str, now: datetime) -> int:
    """Free every lease that `owner` holds: its process has started anew, or is about to stop. Returns how many."""
    freed = tx.execute(
        update(sagas).where(sagas.c.owner == owner, sagas.c.status.in_(_RUNNING))
        .values(owner=None, lease_until=None, updated_at=now)
    )  # fmt: skip
    return int(freed.rowcount)


# --- reading ----------------------------------------------------------------------------------------------------------


def get(tx: Tx, saga_id: str) -> Saga | None:
    """One saga."""
    row = tx.execute(select(sagas).where(sagas.c.id == saga_id)).first()
    return None if row is None else _saga(row)


def for_server(tx: Tx, server_id: str) -> list[Saga]:
    """Every saga of a server, newest first."""
    rows = tx.execute(
        select(sagas).where(sagas.c.server_id == server_id).order_by(sagas.c.created_at.desc(), sagas.c.id)
    )
    return [_saga(row) for row in rows]


def by_request(tx: Tx, server_id: str, request_id: str) -> Saga | None:
    """The saga of a server that a request started."""
    row = tx.execute(select(sagas).where(sagas.c.server_id == server_id, sagas.c.request_id == request_id)).first()
    return None if row is None else _saga(row)


def events(tx: Tx, saga_id: str) -> list[JournalEvent]:
    """A saga's journal, in order."""
    rows = tx.execute(select(saga_events).where(saga_events.c.saga_id == saga_id).order_by(saga_events.c.seq))
    return [_event(row) for row in rows]


def stages_of(tx: Tx, saga_id: str) -> list[Stage]:
    """What its host reported on the way, in order."""
    rows = tx.execute(select(stages).where(stages.c.saga_id == saga_id).order_by(stages.c.started_at))
    return [Stage(name=row.name, started_at=row.started_at, finished_at=row.finished_at) for row in rows]


def live(tx: Tx, server_ids: Iterable[str] | None = None) -> list[Saga]:
    """Every saga that has not ended, of these servers or of all."""
    query = select(sagas).where(sagas.c.status.in_(LIVE))
    if server_ids is not None:
        query = query.where(sagas.c.server_id.in_(tuple(server_ids)))
    return [_saga(row) for row in tx.execute(query)]


def has_ended(saga: Saga) -> bool:
    """Whether a saga is over."""
    return saga.status in ENDED


def _append(tx: Tx, saga_id: str, event: JournalEvent) -> None:
    tx.execute(
        insert(saga_events),
        {
            "saga_id": saga_id, "seq": event.seq, "event": event.event, "at": event.at, "attempt": event.attempt,
            "step": event.step, "host": event.host, "result": bytes(event.result).decode(), "error": event.error,
        },
    )  # fmt: skip


def _release(tx: Tx, saga: Saga, **values: Any) -> None:
    moved = tx.execute(update(sagas).where(sagas.c.id == saga.id, sagas.c.epoch == saga.epoch).values(**values))
    if moved.rowcount != 1:
        raise LostLease(saga.id)


def _show_on_server(tx: Tx, server_id: str, kind: str | None, step: str | None) -> None:
    tx.execute(update(servers).where(servers.c.id == server_id).values(saga=kind, saga_step=step))


def _saga(row: Any) -> Saga:
    fields = dict(row._mapping)  # noqa: SLF001 - SQLAlchemy's documented row accessor
    fields["status"] = SagaStatus(fields["status"])
    fields["params"] = msgspec.Raw(fields["params"].encode())
    fields["reply"] = None if fields["reply"] is None else msgspec.Raw(fields["reply"].encode())
    return Saga(**fields)


def _event(row: Any) -> JournalEvent:
    return JournalEvent(
        seq=row.seq, event=Event(row.event), at=row.at, attempt=row.attempt, step=row.step, host=row.host,
        result=msgspec.Raw((row.result or "null").encode()), error=row.error,
    )  # fmt: skip
