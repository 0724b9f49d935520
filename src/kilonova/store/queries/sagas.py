"""
Sagas: starting them, telling them to stop, reading them. Their running is in `saga_leases.py`.

A subject has one saga at work at a time: `start` queues behind a live one (a partial unique index backs it), and the end of that
one lets the next go.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import bindparam, insert, select, update

from kilonova.domain.clock import Ids
from kilonova.domain.saga import LIVE, RUNNING, Event, JournalEvent, Saga, SagaStatus, Subject, SubjectKind
from kilonova.store.database import Tx
from kilonova.store.tables.compute import servers
from kilonova.store.tables.sagas import saga_events, sagas

_AT_WORK = select(sagas.c.id).where(sagas.c.subject_id == bindparam("subject_id"), sagas.c.status.in_(LIVE))
_JOURNAL = select(saga_events).where(saga_events.c.saga_id == bindparam("saga_id")).order_by(saga_events.c.seq)
_SHOWN = update(servers).where(servers.c.id == bindparam("server_id"))
_ADD, _ADD_EVENT = insert(sagas), insert(saga_events)


class NewSaga(msgspec.Struct, frozen=True, kw_only=True):
    """A saga to be started; `params` is the kind's own parameter struct."""

    kind: str
    subject: Subject
    project_id: str | None
    user_id: str | None
    request_id: str
    params: msgspec.Struct


def start(tx: Tx, new: NewSaga, *, ids: Ids, now: datetime) -> str:
    """Write a saga, ready to run, or queued when another of its subject is at work. Returns its id."""
    saga_id = ids.uuid()
    busy = tx.execute(_AT_WORK, {"subject_id": new.subject.id}).first()
    status = SagaStatus.QUEUED if busy else SagaStatus.READY
    tx.execute(
        _ADD,
        {
            "id": saga_id, "kind": new.kind, "subject_kind": new.subject.kind, "subject_id": new.subject.id,
            "project_id": new.project_id, "user_id": new.user_id, "request_id": new.request_id,
            "params": msgspec.json.encode(new.params).decode(),
            "status": status, "attempt": 1, "cancel": False, "epoch": 0, "wake_at": now, "created_at": now,
            "updated_at": now,
        },
    )  # fmt: skip
    append_events(tx, saga_id, [JournalEvent(seq=0, event=Event.STARTED, at=now, attempt=1)])
    if status is SagaStatus.READY:
        show_at_work(tx, new.subject, new.kind, None)
    return saga_id


def cancel_live(tx: Tx, subject: Subject, now: datetime) -> str | None:
    """Tell the subject's running saga to stop and undo. Returns its id, None when none is at work."""
    row = tx.execute(select(sagas.c.id).where(sagas.c.subject_id == subject.id, sagas.c.status.in_(RUNNING))).first()
    if row is None:
        return None
    tx.execute(
        update(sagas)
        .where(sagas.c.id == row.id)
        .values(cancel=True, status=SagaStatus.READY, wake_at=now, updated_at=now)
    )
    return str(row.id)


def get(tx: Tx, saga_id: str) -> Saga | None:
    """One saga."""
    row = tx.execute(select(sagas).where(sagas.c.id == saga_id)).first()
    return None if row is None else saga_of(row)


def of_subject(tx: Tx, subject: Subject) -> list[Saga]:
    """Every saga about a subject, newest first."""
    rows = tx.execute(
        select(sagas).where(sagas.c.subject_id == subject.id).order_by(sagas.c.created_at.desc(), sagas.c.id)
    )
    return [saga_of(row) for row in rows]


def events(tx: Tx, saga_id: str) -> list[JournalEvent]:
    """A saga's journal, in order."""
    return [_event(row) for row in tx.execute(_JOURNAL, {"saga_id": saga_id})]


def live(tx: Tx, subject_ids: Iterable[str] | None = None) -> list[Saga]:
    """Every saga that has not ended, about these subjects or about any."""
    query = select(sagas).where(sagas.c.status.in_(LIVE))
    if subject_ids is not None:
        query = query.where(sagas.c.subject_id.in_(tuple(subject_ids)))
    return [saga_of(row) for row in tx.execute(query)]


def show_at_work(tx: Tx, subject: Subject, kind: str | None, step: str | None) -> None:
    """Let a server's record say which saga is at work on it, and at which step. Other subjects have no such columns."""
    if subject.kind is SubjectKind.SERVER:
        tx.execute(_SHOWN, {"server_id": subject.id, "saga": kind, "saga_step": step})


def append_events(tx: Tx, saga_id: str, events: Iterable[JournalEvent]) -> None:
    """Write lines of a journal."""
    rows = [
        {
            "saga_id": saga_id, "seq": event.seq, "event": event.event, "at": event.at, "attempt": event.attempt,
            "step": event.step, "host": event.host, "result": bytes(event.result).decode(), "error": event.error,
        }
        for event in events
    ]  # fmt: skip
    tx.execute(_ADD_EVENT, rows)


def saga_of(row: Any) -> Saga:
    """The struct of a whole row."""
    fields = dict(row._mapping)  # noqa: SLF001 - SQLAlchemy's documented row accessor
    fields["subject"] = Subject(SubjectKind(fields.pop("subject_kind")), fields.pop("server_id"))
    fields["status"] = SagaStatus(fields["status"])
    fields["params"] = msgspec.Raw(fields["params"].encode())
    fields["reply"] = None if fields["reply"] is None else msgspec.Raw(fields["reply"].encode())
    return Saga(**fields)


def _event(row: Any) -> JournalEvent:
    return JournalEvent(
        seq=row.seq, event=Event(row.event), at=row.at, attempt=row.attempt, step=row.step, host=row.host,
        result=msgspec.Raw((row.result or "null").encode()), error=row.error,
    )  # fmt: skip
