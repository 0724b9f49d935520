"""Hosts with what servers are allocated on them, and control-plane services. The one ledger of what is used where."""

from __future__ import annotations

from sqlalchemy import (
    Boolean,
    CheckConstraint,
    Column,
    Float,
    ForeignKey,
    Integer,
    String,
    Table,
    Text,
    UniqueConstraint,
)

from kilonova.domain.host import HostFacts
from kilonova.store.tables.base import Name, Uuid, metadata
from kilonova.store.types import Instant, Json

hosts = Table(
    "hosts", metadata,
    Column("id", Uuid, primary_key=True),
    Column("service_id", Uuid, nullable=False, unique=True),
    Column("number", Integer, nullable=False, unique=True),
    Column("name", Name, nullable=False, unique=True),
    Column("zone", Name, nullable=False),
    Column("facts", Json(HostFacts), nullable=False),
    Column("vcpus_used", Integer, nullable=False),
    Column("ram_mib_used", Integer, nullable=False),
    Column("disk_gib_used", Integer, nullable=False),
    Column("servers", Integer, nullable=False),
    Column("cpu_ratio", Float, nullable=False),
    Column("ram_ratio", Float, nullable=False),
    Column("disk_ratio", Float, nullable=False),
    Column("ram_mib_reserved", Integer, nullable=False),
    Column("disk_gib_reserved", Integer, nullable=False),
    Column("generation", Integer, nullable=False),
    Column("disabled", Boolean, nullable=False),
    Column("disabled_reason", Text),
    Column("forced_down", Boolean, nullable=False),
    Column("boot_id", Name, nullable=False, server_default=""),
    Column("started_at", Instant),
    Column("seen_at", Instant),
    Column("created_at", Instant, nullable=False),
    Column("updated_at", Instant),
    Column("addresses", Json(tuple[str, ...]), nullable=False, server_default="[]"),  # of the facts: all its own
    CheckConstraint(
        "vcpus_used >= 0 AND ram_mib_used >= 0 AND disk_gib_used >= 0 AND servers >= 0", name="use_not_negative"
    ),
)  # fmt: skip

# What a server is allocated on a host: made in one transaction with the host's counters, and gone with them. A server that moves
# has two. The table's name is that of the release before, whose processes run on while the schema is upgraded.
allocations = Table(
    "claims", metadata,
    Column("server_id", Uuid, primary_key=True),
    Column("host_id", Uuid, ForeignKey("hosts.id"), primary_key=True, index=True),
    Column("vcpus", Integer, nullable=False),
    Column("ram_mib", Integer, nullable=False),
    Column("disk_gib", Integer, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("role", String(16), primary_key=True, server_default="current"),
    UniqueConstraint("server_id", "role"),
)  # fmt: skip

services = Table(
    "services", metadata,
    Column("id", Uuid, primary_key=True),
    Column("number", Integer, nullable=False, unique=True),
    Column("binary", String(64), nullable=False),
    Column("host", Name, nullable=False),
    Column("zone", Name, nullable=False),
    Column("disabled", Boolean, nullable=False),
    Column("disabled_reason", Text),
    Column("forced_down", Boolean, nullable=False),
    Column("seen_at", Instant, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("updated_at", Instant),
    UniqueConstraint("binary", "host"),
)  # fmt: skip
