"""Who there is: domains, projects, users, groups, roles, assignments and credentials; and where the services are."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Final

import msgspec

DEFAULT_DOMAIN_ID = "default"

BUILT_IN_ROLES: Final = ("admin", "manager", "member", "reader", "service")
"""Made at first start, immutable since policy names them."""

IMPLIES: Final = {"admin": "manager", "manager": "member", "member": "reader"}
"""Who has the role on the left has the one on the right."""


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


class Group(msgspec.Struct, frozen=True, kw_only=True):
    """Users who get roles together."""

    id: str
    domain_id: str
    name: str
    description: str
    created_at: datetime


class Role(msgspec.Struct, frozen=True, kw_only=True):
    """A role; reader < member < manager < admin by implication, and `service` beside them."""

    id: str
    name: str
    domain_id: str | None
    description: str | None
    created_at: datetime


class Assignment(msgspec.Struct, frozen=True, kw_only=True):
    """A role given to a user or to a group, on a project, on a domain, or (neither) on the system."""

    role_id: str
    user_id: str | None = None
    group_id: str | None = None
    project_id: str | None = None
    domain_id: str | None = None


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


class Region(msgspec.Struct, frozen=True, kw_only=True):
    """A place in the catalog."""

    id: str
    parent_region_id: str | None
    description: str


class Service(msgspec.Struct, frozen=True, kw_only=True):
    """A service in the catalog."""

    id: str
    type: str
    name: str
    description: str
    enabled: bool


class Endpoint(msgspec.Struct, frozen=True, kw_only=True):
    """Where a service answers; `url` may hold `$(project_id)s` and `$(user_id)s`."""

    id: str
    service_id: str
    interface: str
    region_id: str | None
    url: str
    enabled: bool


def implied(name: str) -> Iterable[str]:
    """The roles that a role brings with it, nearest first, itself not among them."""
    step = IMPLIES.get(name)
    while step is not None:
        yield step
        step = IMPLIES.get(step)
