"""What guides placement beside the hosts themselves: aggregates, server groups, and what operators say that hosts have."""

from __future__ import annotations

from sqlalchemy import Column, ForeignKey, Integer, String, Table

from kilonova.store.tables.base import Name, Uuid, metadata
from kilonova.store.types import Instant, Json

aggregates = Table(
    "aggregates", metadata,
    Column("id", Uuid, primary_key=True),
    Column("number", Integer, nullable=False, unique=True),
    Column("name", Name, nullable=False, unique=True),
    Column("metadata", Json(dict[str, str]), nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("updated_at", Instant),
)  # fmt: skip

aggregate_hosts = Table(
    "aggregate_hosts", metadata,
    Column("aggregate_id", Uuid, ForeignKey("aggregates.id", ondelete="CASCADE"), primary_key=True),
    Column("host_id", Uuid, ForeignKey("hosts.id", ondelete="CASCADE"), primary_key=True, index=True),
)  # fmt: skip

server_groups = Table(
    "server_groups", metadata,
    Column("id", Uuid, primary_key=True),
    Column("number", Integer, nullable=False, unique=True),
    Column("project_id", Name, nullable=False, index=True),
    Column("user_id", Name, nullable=False),
    Column("name", Name, nullable=False),
    Column("policy", String(32), nullable=False),
    Column("max_server_per_host", Integer),
    Column("created_at", Instant, nullable=False),
)  # fmt: skip

# A server is in one group or none, from the transaction that accepts it to the one that deletes it.
server_group_members = Table(
    "server_group_members", metadata,
    Column("server_id", Uuid, ForeignKey("servers.id"), primary_key=True),
    Column("group_id", Uuid, ForeignKey("server_groups.id", ondelete="CASCADE"), nullable=False, index=True),
)  # fmt: skip

custom_traits = Table(
    "custom_traits", metadata, Column("name", Name, primary_key=True), Column("created_at", Instant, nullable=False)
)

# What an operator says that a host has, beside what its agent found.
host_traits = Table(
    "host_traits", metadata,
    Column("host_id", Uuid, ForeignKey("hosts.id", ondelete="CASCADE"), primary_key=True),
    Column("name", Name, primary_key=True, index=True),
)  # fmt: skip

resource_classes = Table(
    "resource_classes", metadata, Column("name", Name, primary_key=True), Column("created_at", Instant, nullable=False)
)
