"""Who there is: domains, projects, users, groups, roles, assignments and credentials."""

from __future__ import annotations

from datetime import datetime

import msgspec

DEFAULT_DOMAIN_ID = "default"


class Domain(msgspec.Struct, frozen=True, kw_only=True):
    """A name space of projects and users."""

    id: str
    name: str
    description: str
    enabled: bool
    created_at: datetime


class Project(msgspec.Struct, frozen=True, kw_only=True):
    """A tenant."""

    id: str
    domain_id: str
    parent_id: str | None
    name: str
    description: str
    enabled: bool
    tags: tuple[str, ...] = ()
    extra: dict[str, object] = {}
    created_at: datetime


class User(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody who can authenticate; `password_hash` is argon2id and never leaves identity/."""

    id: str
    domain_id: str
    name: str
    email: str | None
    description: str | None
    enabled: bool
    default_project_id: str | None
    password_hash: str | None
    password_changed_at: datetime | None
    tokens_not_before: datetime | None  # tokens issued earlier are void (a password change, a disable)
    extra: dict[str, object] = {}
    created_at: datetime


class Role(msgspec.Struct, frozen=True, kw_only=True):
    """A role; reader < member < manager < admin by implication, and `service` beside them."""

    id: str
    name: str
    domain_id: str | None
    description: str | None
    created_at: datetime


class Assignment(msgspec.Struct, frozen=True, kw_only=True):
    """A role given to a user on a project, a domain, or the system."""

    user_id: str
    role_id: str
    project_id: str | None = None
    domain_id: str | None = None
    system: bool = False


class ApplicationCredential(msgspec.Struct, frozen=True, kw_only=True):
    """A secret of a user's that acts on one project with some of the user's roles."""

    id: str
    user_id: str
    project_id: str
    name: str
    description: str | None
    secret_hash: str
    role_ids: tuple[str, ...]
    unrestricted: bool
    expires_at: datetime | None
    created_at: datetime
