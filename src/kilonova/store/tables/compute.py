"""Servers, flavors, key pairs, quotas."""

from __future__ import annotations

from sqlalchemy import (
    Boolean,
    CheckConstraint,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    String,
    Table,
    Text,
    UniqueConstraint,
)  # fmt: skip

from kilonova.domain.server import Fault, FlavorSnapshot
from kilonova.store.tables.base import Name, Uuid, metadata
from kilonova.store.types import Instant, Json

_Strings = Json(tuple[str, ...])
_Map = Json(dict[str, str])

servers = Table(
    "servers", metadata,
    Column("id", Uuid, primary_key=True),
    Column("number", Integer, nullable=False, unique=True),
    Column("project_id", Name, nullable=False),
    Column("user_id", Name, nullable=False),
    Column("name", Name, nullable=False),
    Column("description", Text),
    Column("hostname", Name, nullable=False),
    Column("flavor", Json(FlavorSnapshot), nullable=False),
    Column("image_id", Uuid, index=True),
    Column("key_name", Name),
    Column("metadata", _Map, nullable=False),
    Column("system_metadata", _Map, nullable=False),
    Column("availability_zone", Name),
    Column("config_drive", Boolean, nullable=False),
    Column("user_data", Text),
    Column("personality", _Map, nullable=False),
    Column("key_public", Text),
    Column("admin_pass", Text),
    Column("access_ip_v4", String(64)),
    Column("access_ip_v6", String(64)),
    Column("disk_config", String(8), nullable=False),
    Column("locked", Boolean, nullable=False),
    Column("locked_reason", Text),
    Column("tags", _Strings, nullable=False),
    Column("trusted_certs", _Strings, nullable=False),
    Column("hints", Json(dict[str, str | list[str]]), nullable=False),
    Column("security_groups", _Strings, nullable=False),
    Column("root_device", String(32), nullable=False),
    Column("reservation_id", String(32), nullable=False, index=True),
    Column("launch_index", Integer, nullable=False),
    Column("lifecycle", String(16), nullable=False),
    Column("intent", String(16), nullable=False),
    Column("power_state", Integer, nullable=False),
    Column("host", Name),
    Column("node", Name),
    Column("zone", Name),
    Column("saga", String(32)),
    Column("saga_step", String(32)),
    Column("progress", Integer, nullable=False),
    Column("generation", Integer, nullable=False),
    Column("fault", Json(Fault)),
    Column("created_at", Instant, nullable=False),
    Column("updated_at", Instant, nullable=False),
    Column("launched_at", Instant),
    Column("terminated_at", Instant),
    Column("deleted_at", Instant),
    CheckConstraint("(lifecycle = 'deleted') = (deleted_at IS NOT NULL)", name="deleted_has_time"),
    CheckConstraint("lifecycle <> 'deleted' OR host IS NULL OR saga IS NULL", name="deleted_is_at_rest"),
    Index("ix_servers_project_created", "project_id", "created_at", "id"),
    Index("ix_servers_created", "created_at", "id"),
    Index("ix_servers_updated", "updated_at"),
    Index("ix_servers_host", "host", "image_id", "lifecycle"),  # all that schedulers read of each, every few seconds
)  # fmt: skip

_deleted = servers.c.deleted_at.is_not(None)
Index(
    "ix_servers_deleted", servers.c.deleted_at, sqlite_where=_deleted, postgresql_where=_deleted
)  # by which they are purged

flavors = Table(
    "flavors", metadata,
    Column("id", Name, primary_key=True),
    Column("name", Name, nullable=False, unique=True),
    Column("vcpus", Integer, nullable=False),
    Column("ram_mib", Integer, nullable=False),
    Column("disk_gib", Integer, nullable=False),
    Column("ephemeral_gib", Integer, nullable=False),
    Column("swap_mib", Integer, nullable=False),
    Column("rxtx_factor", Float, nullable=False),
    Column("is_public", Boolean, nullable=False),
    Column("disabled", Boolean, nullable=False),
    Column("description", Text),
    Column("extra_specs", _Map, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("updated_at", Instant),
)  # fmt: skip

flavor_access = Table(
    "flavor_access", metadata,
    Column("flavor_id", Name, ForeignKey("flavors.id", ondelete="CASCADE"), primary_key=True),
    Column("project_id", Name, primary_key=True),
)  # fmt: skip

key_pairs = Table(
    "key_pairs", metadata,
    Column("number", Integer, primary_key=True, autoincrement=True),
    Column("user_id", Name, nullable=False),
    Column("name", Name, nullable=False),
    Column("type", String(8), nullable=False),
    Column("fingerprint", String(64), nullable=False),
    Column("public_key", Text, nullable=False),
    Column("created_at", Instant, nullable=False),
    UniqueConstraint("user_id", "name"),
)  # fmt: skip

# Limits that differ from the defaults; project_id "default" is the default class.
quota_limits = Table(
    "quota_limits", metadata,
    Column("project_id", Name, primary_key=True),
    Column("user_id", Name, primary_key=True, server_default=""),
    Column("resource", String(64), primary_key=True),
    Column("hard_limit", Integer, nullable=False),
)  # fmt: skip

# What each project uses, kept in the transaction that makes or deletes the server.
quota_usage = Table(
    "quota_usage", metadata,
    Column("project_id", Name, primary_key=True),
    Column("resource", String(64), primary_key=True),
    Column("used", Integer, nullable=False),
    CheckConstraint("used >= 0", name="not_negative"),
)  # fmt: skip

# What was done to a server in one transaction (lock, unlock): actions without a saga, for the same timeline.
server_actions = Table(
    "server_actions", metadata,
    Column("id", Uuid, primary_key=True),
    Column("server_id", Uuid, nullable=False),
    Column("action", String(32), nullable=False),
    Column("request_id", String(64), nullable=False),
    Column("project_id", Name),
    Column("user_id", Name),
    Column("message", Text),
    Column("at", Instant, nullable=False),
    Index("ix_server_actions_server", "server_id", "at"),
    Index("ix_server_actions_at", "at"),
)  # fmt: skip

# Servers of which something changed that their guests may read, until their hosts have confirmed it.
guest_data_changes = Table(
    "guest_data_changes", metadata,
    Column("server_id", Uuid, primary_key=True),
    Column("generation", Integer),  # of the command that was sent last; NULL: none since the change
    Column("sent_at", Instant),
)  # fmt: skip

# Small unique numbers (servers, hosts, services): one row a series.
counters = Table(
    "counters", metadata,
    Column("name", Name, primary_key=True),
    Column("value", Integer, nullable=False),
)  # fmt: skip
