"""Who has which roles where: assignments, direct and through groups."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec
from sqlalchemy import ColumnElement, delete, exists, or_, select

from kilonova.domain.identity import Assignment
from kilonova.store.database import Tx
from kilonova.store.queries.identity import add_once
from kilonova.store.tables.identity import assignments, domains, group_members, projects

_COLUMNS = ("role_id", "user_id", "group_id", "project_id", "domain_id")


class Scope(msgspec.Struct, frozen=True, kw_only=True):
    """What a token or a role is for: a project, a domain, the system, or nothing."""

    project_id: str | None = None
    domain_id: str | None = None
    system: bool = False

    @property
    def is_nothing(self) -> bool:
        """Whether it gives no roles at all."""
        return self.project_id is None and self.domain_id is None and not self.system


class Sought(msgspec.Struct, frozen=True, kw_only=True):
    """Which assignments to list; what is None is not asked about."""

    role_id: str | None = None
    user_id: str | None = None
    group_id: str | None = None
    scope: Scope | None = None
    through_groups: bool = False


def is_assigned(tx: Tx, one: Assignment) -> bool:
    """Whether exactly this was assigned, to this very user or group."""
    return bool(tx.execute(select(exists().where(*_exactly(one)))).scalar())


def assign(tx: Tx, one: Assignment) -> None:
    """Give the role; giving it again changes nothing."""
    add_once(tx, assignments, msgspec.structs.asdict(one))


def unassign(tx: Tx, one: Assignment) -> bool:
    """Take the role away; False where it was not assigned."""
    return tx.execute(delete(assignments).where(*_exactly(one))).rowcount > 0


def role_ids_of(tx: Tx, user_id: str, scope: Scope) -> set[str]:
    """The roles a user has there, its own and its groups', without the implied ones."""
    if scope.is_nothing:
        return set()
    query = select(assignments.c.role_id).where(_of_user(user_id), *_on(scope))
    return set(tx.execute(query).scalars())


def project_ids_of(tx: Tx, user_id: str) -> tuple[str, ...]:
    """The enabled projects in which a user has a role."""
    query = (
        select(assignments.c.project_id)
        .distinct()
        .join(projects, projects.c.id == assignments.c.project_id)
        .join(domains, domains.c.id == projects.c.domain_id)
        .where(_of_user(user_id), projects.c.enabled, domains.c.enabled)
        .order_by(assignments.c.project_id)
    )
    return tuple(tx.execute(query).scalars())


def domain_ids_of(tx: Tx, user_id: str) -> tuple[str, ...]:
    """The enabled domains on which a user has a role."""
    query = (
        select(assignments.c.domain_id)
        .distinct()
        .join(domains, domains.c.id == assignments.c.domain_id)
        .where(_of_user(user_id), domains.c.enabled)
        .order_by(assignments.c.domain_id)
    )
    return tuple(tx.execute(query).scalars())


def listed(tx: Tx, sought: Sought) -> list[Assignment]:
    """Assignments as they were made, in a fixed order; `through_groups` adds those of the user's groups, naming the group."""
    query = select(*(assignments.c[name] for name in _COLUMNS))
    if sought.user_id is not None:
        query = query.where(
            _of_user(sought.user_id) if sought.through_groups else assignments.c.user_id == sought.user_id
        )
    for name in ("role_id", "group_id"):
        if (value := getattr(sought, name)) is not None:
            query = query.where(assignments.c[name] == value)
    if sought.scope is not None:
        query = query.where(*_on(sought.scope))
    query = query.order_by(*(assignments.c[name] for name in _COLUMNS))
    return [Assignment(**row) for row in tx.execute(query).mappings()]


# --- groups -----------------------------------------------------------------------------------------------------------


def join_group(tx: Tx, group_id: str, user_id: str) -> None:
    """Make a user a member; once is enough."""
    add_once(tx, group_members, {"group_id": group_id, "user_id": user_id})


def leave_group(tx: Tx, group_id: str, user_id: str) -> bool:
    """End a membership; False where there was none."""
    where = (group_members.c.group_id == group_id, group_members.c.user_id == user_id)
    return tx.execute(delete(group_members).where(*where)).rowcount > 0


def is_member(tx: Tx, group_id: str, user_id: str) -> bool:
    """Whether the user is in the group."""
    where = (group_members.c.group_id == group_id, group_members.c.user_id == user_id)
    return bool(tx.execute(select(exists().where(*where))).scalar())


def members(tx: Tx, group_ids: Iterable[str]) -> dict[str, list[str]]:
    """The users of each of these groups that has any."""
    found: dict[str, list[str]] = {}
    query = select(group_members).where(group_members.c.group_id.in_(set(group_ids)))
    for row in tx.execute(query.order_by(group_members.c.group_id, group_members.c.user_id)):
        found.setdefault(row.group_id, []).append(row.user_id)
    return found


def group_ids_of(tx: Tx, user_id: str) -> tuple[str, ...]:
    """The groups of a user."""
    query = select(group_members.c.group_id).where(group_members.c.user_id == user_id)
    return tuple(tx.execute(query.order_by(group_members.c.group_id)).scalars())


def _exactly(one: Assignment) -> list[ColumnElement[bool]]:
    values = msgspec.structs.asdict(one)
    return [
        assignments.c[name].is_(None) if values[name] is None else assignments.c[name] == values[name]
        for name in _COLUMNS
    ]


def _of_user(user_id: str) -> ColumnElement[bool]:
    mine = select(group_members.c.group_id).where(group_members.c.user_id == user_id)
    return or_(assignments.c.user_id == user_id, assignments.c.group_id.in_(mine))


def _on(scope: Scope) -> list[ColumnElement[bool]]:
    if scope.system:
        return [assignments.c.project_id.is_(None), assignments.c.domain_id.is_(None)]
    if scope.project_id is not None:
        return [assignments.c.project_id == scope.project_id]
    return [assignments.c.domain_id == scope.domain_id]
