"""Sagas, their journals, and the timeline of stages that hosts report."""

from __future__ import annotations

from sqlalchemy import Boolean, CheckConstraint, Column, ForeignKey, Index, Integer, String, Table, Text

from kilonova.store.tables.base import Name, Uuid, metadata
from kilonova.store.types import Instant

sagas = Table(
    "sagas", metadata,
    Column("id", Uuid, primary_key=True),
    Column("kind", String(32), nullable=False),
    # The name that the release before knows it by: its processes run on while the schema is upgraded.
    Column("server_id", Uuid, key="subject_id", nullable=False),
    Column("project_id", Name),
    Column("user_id", Name),
    Column("request_id", String(64), nullable=False),
    Column("params", Text, nullable=False),
    Column("status", String(16), nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("cancel", Boolean, nullable=False),
    Column("owner", Name),
    Column("epoch", Integer, nullable=False),
    Column("lease_until", Instant),
    Column("command_id", String(96)),
    Column("reply", Text),
    Column("wake_at", Instant),
    Column("message", Text),
    Column("created_at", Instant, nullable=False),
    Column("updated_at", Instant),
    Column("finished_at", Instant),
    Column("subject_kind", String(16), nullable=False, server_default="server"),
    Column("awaited_host", Name),
    CheckConstraint("(status IN ('done', 'failed', 'cancelled')) = (finished_at IS NOT NULL)", name="ended_has_time"),
    Index("ix_sagas_server", "subject_id", "created_at"),
    Index("ix_sagas_request", "request_id"),
)  # fmt: skip
_running = sagas.c.status.in_(["ready", "parked"])
# A subject has one saga at work at a time; others queue behind it. Ids of all kinds are UUIDs, so none is met twice.
Index("uq_sagas_running", sagas.c.subject_id, unique=True, sqlite_where=_running, postgresql_where=_running)
_awaiting = sagas.c.awaited_host.is_not(None)
Index("ix_sagas_awaited_host", sagas.c.awaited_host, sqlite_where=_awaiting, postgresql_where=_awaiting)
_live = sagas.c.status.in_(["queued", "ready", "parked"])
Index("ix_sagas_live", sagas.c.status, sagas.c.wake_at, sqlite_where=_live, postgresql_where=_live)

_over = sagas.c.finished_at.is_not(None)
Index("ix_sagas_finished", sagas.c.finished_at, sqlite_where=_over, postgresql_where=_over)

saga_events = Table(
    "saga_events", metadata,
    Column("saga_id", Uuid, ForeignKey("sagas.id", ondelete="CASCADE"), primary_key=True),
    Column("seq", Integer, primary_key=True),
    Column("event", String(16), nullable=False),
    Column("at", Instant, nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("step", String(32)),
    Column("host", Name),
    Column("result", Text),
    Column("error", Text),
)  # fmt: skip

_failed = saga_events.c.event == "step_failed"
Index("ix_saga_events_failed", saga_events.c.at, saga_events.c.host, sqlite_where=_failed, postgresql_where=_failed)

stages = Table(
    "saga_stages", metadata,
    Column("saga_id", Uuid, ForeignKey("sagas.id", ondelete="CASCADE"), primary_key=True),
    Column("name", String(32), primary_key=True),
    Column("attempt", Integer, primary_key=True),
    Column("host", Name),
    Column("started_at", Instant, nullable=False),
)  # fmt: skip
