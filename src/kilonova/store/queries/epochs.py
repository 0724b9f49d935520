"""Which epoch the database is in, and how a new one begins."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import insert, select

from kilonova.store.database import Tx
from kilonova.store.tables.epochs import epochs

_CURRENT = select(epochs.c.id).order_by(epochs.c.number.desc()).limit(1)


def current(tx: Tx) -> str | None:
    """The present epoch; None before the first."""
    found: str | None = tx.execute(_CURRENT).scalar()
    return found


def begin(tx: Tx, epoch: str, now: datetime, why: str) -> None:
    """From now on it is this one."""
    tx.execute(insert(epochs), {"id": epoch, "began_at": now, "why": why})
