"""Roles, and giving them to users and groups."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kilonova.domain.errors import Denied, Missing
from kilonova.domain.identity import BUILT_IN_ROLES, Assignment, Domain, Group, Project, Role, User
from kilonova.identity.service import Identity
from kilonova.store.database import Tx
from kilonova.store.queries import identity as nouns
from kilonova.store.queries import identity_roles


def create_role(identity: Identity, name: str, description: str | None) -> Role:
    """Make a role of a cloud's own. Raises Conflict where its name is taken."""
    made = Role(
        id=identity.new_id(), name=name, domain_id=None, description=description, created_at=identity.clock.now()
    )
    with identity.database.write() as tx:
        nouns.add(tx, made)
    return made


def update_role(identity: Identity, ident: str, changes: Mapping[str, Any]) -> Role:
    """Change a role. Raises Missing, Conflict, and Denied for a built-in one."""
    with identity.changing() as tx:
        _check_mutable(nouns.get(tx, Role, ident, lock=True))
        return nouns.change(tx, Role, ident, changes)


def delete_role(identity: Identity, ident: str) -> None:
    """Delete a role and its assignments. Raises Missing, and Denied for a built-in one."""
    with identity.changing() as tx:
        _check_mutable(nouns.get(tx, Role, ident, lock=True))
        nouns.remove(tx, Role, ident)


def give_role(identity: Identity, one: Assignment) -> None:
    """Assign a role; doing so again changes nothing. Raises Missing where a part of it is not there."""
    with identity.changing() as tx:
        check_parts(tx, one)
        identity_roles.assign(tx, one)


def take_role(identity: Identity, one: Assignment) -> None:
    """End an assignment. Raises Missing where there is none."""
    with identity.changing() as tx:
        check_parts(tx, one)
        if not identity_roles.unassign(tx, one):
            raise Missing("Role assignment with role", one.role_id)


def check_parts(tx: Tx, one: Assignment) -> None:
    """Raise Missing for the first part of an assignment that does not exist."""
    parts: list[tuple[type[Any], str | None]] = [
        (Role, one.role_id),
        (User, one.user_id),
        (Group, one.group_id),
        (Project, one.project_id),
        (Domain, one.domain_id),
    ]
    for kind, ident in parts:
        if ident is not None:
            nouns.get(tx, kind, ident)


def is_built_in(role: Role) -> bool:
    """Whether policy stands on this role."""
    return role.domain_id is None and role.name in BUILT_IN_ROLES


def _check_mutable(role: Role) -> None:
    if is_built_in(role):
        raise Denied(
            f"The role {role.name} is built in: policy stands on it, so it can be neither changed nor deleted."
        )
