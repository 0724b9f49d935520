"""Domains, projects, users, groups, roles, assignments, credentials, revocations, keys; and the service catalog."""

from __future__ import annotations

from sqlalchemy import (
    Boolean,
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    LargeBinary,
    Table,
    Text,
    UniqueConstraint,
    func,
)

from kilonova.store.tables.base import Name, Uuid, metadata
from kilonova.store.types import Instant, Json

domains = Table(
    "domains", metadata,
    Column("id", Name, primary_key=True),
    Column("name", Name, nullable=False, unique=True),
    Column("description", Text, nullable=False),
    Column("enabled", Boolean, nullable=False),
    Column("created_at", Instant, nullable=False),
)  # fmt: skip

projects = Table(
    "projects", metadata,
    Column("id", Name, primary_key=True),
    Column("domain_id", Name, ForeignKey("domains.id"), nullable=False),
    Column("parent_id", Name),
    Column("name", Name, nullable=False),
    Column("description", Text, nullable=False),
    Column("enabled", Boolean, nullable=False),
    Column("tags", Json(tuple[str, ...]), nullable=False),
    Column("extra", Json(dict[str, object]), nullable=False),
    Column("created_at", Instant, nullable=False),
    UniqueConstraint("domain_id", "name"),
)  # fmt: skip

users = Table(
    "users", metadata,
    Column("id", Name, primary_key=True),
    Column("domain_id", Name, ForeignKey("domains.id"), nullable=False),
    Column("name", Name, nullable=False),
    Column("email", Name),
    Column("description", Text),
    Column("enabled", Boolean, nullable=False),
    Column("default_project_id", Name),
    Column("password_hash", Text),
    Column("password_changed_at", Instant),
    Column("tokens_not_before", Instant),
    Column("extra", Json(dict[str, object]), nullable=False),
    Column("created_at", Instant, nullable=False),
    UniqueConstraint("domain_id", "name"),
)  # fmt: skip

groups = Table(
    "groups", metadata,
    Column("id", Name, primary_key=True),
    Column("domain_id", Name, ForeignKey("domains.id"), nullable=False),
    Column("name", Name, nullable=False),
    Column("description", Text, nullable=False),
    Column("created_at", Instant, nullable=False),
    UniqueConstraint("domain_id", "name"),
)  # fmt: skip

group_members = Table(
    "group_members", metadata,
    Column("group_id", Name, ForeignKey("groups.id", ondelete="CASCADE"), primary_key=True),
    Column("user_id", Name, ForeignKey("users.id", ondelete="CASCADE"), primary_key=True, index=True),
)  # fmt: skip

roles = Table(
    "roles", metadata,
    Column("id", Name, primary_key=True),
    Column("name", Name, nullable=False, unique=True),
    Column("domain_id", Name),
    Column("description", Text),
    Column("created_at", Instant, nullable=False),
)  # fmt: skip

# To a user or a group; on a project, a domain or, where both are NULL, the system.
assignments = Table(
    "assignments", metadata,
    Column("role_id", Name, ForeignKey("roles.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("user_id", Name, ForeignKey("users.id", ondelete="CASCADE"), index=True),
    Column("group_id", Name, ForeignKey("groups.id", ondelete="CASCADE"), index=True),
    Column("project_id", Name, ForeignKey("projects.id", ondelete="CASCADE"), index=True),
    Column("domain_id", Name, ForeignKey("domains.id", ondelete="CASCADE"), index=True),
    CheckConstraint("(user_id IS NULL) <> (group_id IS NULL)", name="one_actor"),
    CheckConstraint("project_id IS NULL OR domain_id IS NULL", name="one_target"),
)  # fmt: skip
# NULLs are never equal in a unique constraint, so the index is over what stands for them.
Index(
    "uq_assignments",
    assignments.c.role_id,
    *(func.coalesce(assignments.c[name], "") for name in ("user_id", "group_id", "project_id", "domain_id")),
    unique=True,
)

application_credentials = Table(
    "application_credentials", metadata,
    Column("id", Name, primary_key=True),
    Column("user_id", Name, ForeignKey("users.id", ondelete="CASCADE"), nullable=False),
    Column("project_id", Name, ForeignKey("projects.id", ondelete="CASCADE"), nullable=False),
    Column("name", Name, nullable=False),
    Column("description", Text),
    Column("secret_hash", Text, nullable=False),
    Column("role_ids", Json(tuple[str, ...]), nullable=False),
    Column("unrestricted", Boolean, nullable=False),
    Column("expires_at", Instant),
    Column("created_at", Instant, nullable=False),
    UniqueConstraint("user_id", "name"),
)  # fmt: skip

revoked_tokens = Table(
    "revoked_tokens", metadata,
    Column("audit_id", Name, primary_key=True),
    Column("expires_at", Instant, nullable=False, index=True),
)  # fmt: skip

# Symmetric keys the control plane shares with itself (tokens, console tickets), by purpose.
secret_keys = Table(
    "secret_keys", metadata,
    Column("purpose", Name, primary_key=True),
    Column("created_at", Instant, primary_key=True),
    Column("key", LargeBinary, nullable=False),
)  # fmt: skip

regions = Table(
    "identity_regions", metadata,
    Column("id", Name, primary_key=True),
    Column("parent_region_id", Name, ForeignKey("identity_regions.id")),
    Column("description", Text, nullable=False),
)  # fmt: skip

services = Table(
    "identity_services", metadata,
    Column("id", Uuid, primary_key=True),
    Column("type", Name, nullable=False),
    Column("name", Name, nullable=False),
    Column("description", Text, nullable=False),
    Column("enabled", Boolean, nullable=False),
)  # fmt: skip

endpoints = Table(
    "identity_endpoints", metadata,
    Column("id", Uuid, primary_key=True),
    Column("service_id", Uuid, ForeignKey("identity_services.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("interface", Name, nullable=False),
    Column("region_id", Name, ForeignKey("identity_regions.id")),
    Column("url", Text, nullable=False),
    Column("enabled", Boolean, nullable=False),
)  # fmt: skip
