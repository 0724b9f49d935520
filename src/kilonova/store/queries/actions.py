"""
A server's timeline: its sagas and what was done in one transaction, as one list of actions, newest first.

The journal is the record; nothing is written twice for this view.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from itertools import pairwise, zip_longest
from typing import Any

import msgspec
from sqlalchemy import Select, func, literal_column, select, union_all

from kilonova.domain.errors import Missing
from kilonova.domain.saga import Event, JournalEvent
from kilonova.domain.verbs import BY_SAGA
from kilonova.store.database import Tx
from kilonova.store.queries import sagas as saga_queries
from kilonova.store.queries.keyset import Keyset, page
from kilonova.store.tables.compute import server_actions
from kilonova.store.tables.sagas import sagas, stages

_all = union_all(
    select(
        sagas.c.id, sagas.c.subject_id.label("server_id"), sagas.c.kind.label("action"), sagas.c.request_id, sagas.c.project_id,
        sagas.c.user_id,
        sagas.c.message, sagas.c.created_at.label("at"),
        func.coalesce(sagas.c.updated_at, sagas.c.created_at).label("updated_at"),
        literal_column("1").label("has_journal"),
    ),
    select(
        server_actions.c.id, server_actions.c.server_id, server_actions.c.action, server_actions.c.request_id,
        server_actions.c.project_id, server_actions.c.user_id, server_actions.c.message, server_actions.c.at,
        server_actions.c.at.label("updated_at"), literal_column("0").label("has_journal"),
    ),
).subquery("actions")  # fmt: skip


class Action(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that was done to a server. `has_journal`: a saga, whose steps `steps` tells."""

    id: str
    server_id: str
    action: str
    request_id: str
    project_id: str | None
    user_id: str | None
    message: str | None
    at: datetime
    updated_at: datetime
    has_journal: bool


class StepEvent(msgspec.Struct, frozen=True, kw_only=True):
    """One step of an action; without `finished_at` it is under way. `error` says why it failed."""

    name: str
    host: str | None
    started_at: datetime
    finished_at: datetime | None
    error: str | None


def page_of(
    tx: Tx, server_id: str, keyset: Keyset, *, since: datetime | None = None, before: datetime | None = None
) -> list[Action]:
    """A page of a server's actions, newest first; a marker is a request id. Raises Rejected for an unknown marker."""
    mine = select(_all).where(_all.c.server_id == server_id)
    query = mine
    if since is not None:
        query = query.where(_all.c.updated_at >= since)
    if before is not None:
        query = query.where(_all.c.updated_at <= before)
    keys = {"at": _all.c.at, "id": _all.c.request_id}
    newest = msgspec.structs.replace(keyset, sort=(("at", "desc"), ("id", "desc")))
    return [_action(row) for row in tx.execute(page(tx, query, newest, keys, mine))]


def get(tx: Tx, server_id: str, request_id: str) -> Action:
    """What a request did to a server. Raises Missing."""
    query: Select[Any] = select(_all).where(_all.c.server_id == server_id, _all.c.request_id == request_id)
    row = tx.execute(query).first()
    if row is None:
        raise Missing("Action for request_id", f"{request_id[:255]} on instance {server_id}")
    return _action(row)


def steps(tx: Tx, action: Action) -> list[StepEvent]:
    """The steps of an action and the stages its host reported, in the order in which they began."""
    if not action.has_journal:
        return []
    journal = saga_queries.events(tx, action.id)
    return sorted([*_of_journal(journal), *_of_host(tx, action.id, journal)], key=lambda step: step.started_at)


def _of_journal(events: Sequence[JournalEvent]) -> Iterator[StepEvent]:
    """A step began when the event before it was written, and ended with its own."""
    for before, event in pairwise(events):
        if event.step is None or event.event not in (Event.STEP_DONE, Event.STEP_FAILED, Event.UNDO_DONE):
            continue
        name = f"undo_{event.step}" if event.event is Event.UNDO_DONE else event.step
        yield StepEvent(name=name, host=event.host, started_at=before.at, finished_at=event.at, error=event.error)


def _of_host(tx: Tx, saga_id: str, events: Sequence[JournalEvent]) -> Iterator[StepEvent]:
    """A stage ends when the next begins, the last one with the step it is a part of."""
    query = select(stages).where(stages.c.saga_id == saga_id).order_by(stages.c.started_at)
    rows = tx.execute(query).all()
    for row, later in zip_longest(rows, rows[1:]):
        ends = later.started_at if later else next((event.at for event in events if event.at > row.started_at), None)
        yield StepEvent(name=f"host_{row.name}", host=row.host, started_at=row.started_at, finished_at=ends, error=None)


def _action(row: Any) -> Action:
    fields = dict(row._mapping)  # noqa: SLF001 - SQLAlchemy's documented row accessor
    fields["action"] = BY_SAGA[fields["action"]].name if fields["action"] in BY_SAGA else fields["action"]
    return Action(**{**fields, "has_journal": bool(fields["has_journal"])})
