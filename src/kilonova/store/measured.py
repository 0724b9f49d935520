"""Counts what a process asks of its database."""

from __future__ import annotations

from typing import Any

from prometheus_client import CollectorRegistry, Counter, Gauge
from sqlalchemy import event
from sqlalchemy.pool import QueuePool

from kilonova.store.database import Database


def measure(db: Database, registry: CollectorRegistry) -> None:
    """Count commits, statements and connections from now on."""
    commits = Counter("kilonova_database_commits", "Transactions committed", registry=registry)
    statements = Counter("kilonova_database_statements", "Statements executed", registry=registry)
    connects = Counter("kilonova_database_connects", "Connections opened", registry=registry)
    in_use = Gauge("kilonova_database_connections_in_use", "Connections in use", registry=registry)

    @event.listens_for(db.engine, "commit")
    def _commit(*_: Any) -> None:
        commits.inc()

    @event.listens_for(db.engine, "after_cursor_execute")
    def _execute(*_: Any) -> None:
        statements.inc()

    @event.listens_for(db.engine, "connect")
    def _connect(*_: Any) -> None:
        connects.inc()

    pool = db.engine.pool
    if isinstance(pool, QueuePool):
        in_use.set_function(pool.checkedout)
