"""How hosts come in and what they may: join tokens, credentials, images they were told to fetch, and what was refused to them."""

from __future__ import annotations

from sqlalchemy import CheckConstraint, Column, Index, Integer, String, Table

from kilonova.store.tables.base import Name, Uuid, metadata
from kilonova.store.types import Instant

join_tokens = Table(
    "host_join_tokens", metadata,
    Column("id", Uuid, primary_key=True),
    Column("secret_hash", String(64), nullable=False),
    Column("host", Name),
    Column("created_by", Name),
    Column("created_at", Instant, nullable=False),
    Column("expires_at", Instant, nullable=False, index=True),
    Column("used_by", Name),
    Column("used_at", Instant),
    CheckConstraint("(used_by IS NULL) = (used_at IS NULL)", name="used_by_somebody"),
)  # fmt: skip

# What the secrets of a host's guests are sealed with on their way to it: the public half of a pair of its own.
seal_keys = Table(
    "host_seal_keys", metadata,
    Column("host", Name, primary_key=True),
    Column("public_key", String(64), nullable=False),
)  # fmt: skip

credentials = Table(
    "host_credentials", metadata,
    Column("host", Name, primary_key=True),
    Column("secret_hash", String(64), nullable=False),
    Column("generation", Integer, nullable=False),
    Column("joined_at", Instant, nullable=False),
    Column("revoked_at", Instant),
)  # fmt: skip

# An image that a host was told to fetch ahead of need: no server of its own asks for it yet.
image_grants = Table(
    "host_image_grants", metadata,
    Column("host", Name, primary_key=True),
    Column("image_id", Uuid, primary_key=True),
    Column("expires_at", Instant, nullable=False),
)  # fmt: skip

refusals = Table(
    "host_refusals", metadata,
    Column("sender", Name, primary_key=True),
    Column("what", String(64), primary_key=True),
    Column("why", String(128), primary_key=True),
    Column("about", Name, nullable=False),
    Column("times", Integer, nullable=False),
    Column("first_at", Instant, nullable=False),
    Column("last_at", Instant, nullable=False),
    Index("ix_host_refusals_last", "last_at"),
)  # fmt: skip
