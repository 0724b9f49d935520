"""The epochs of the database: the last row names the present one."""

from __future__ import annotations

from sqlalchemy import Column, Integer, String, Table

from kilonova.store.tables.base import Uuid, metadata
from kilonova.store.types import Instant

epochs = Table(
    "epochs", metadata,
    Column("number", Integer, primary_key=True, autoincrement=True),
    Column("id", Uuid, nullable=False),
    Column("began_at", Instant, nullable=False),
    Column("why", String(255), nullable=False),
)  # fmt: skip
