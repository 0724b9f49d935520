"""Reading assignments: as they were made, or as they work out (through groups and implied roles)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from msgspec.structs import replace

from kilonova.domain.identity import Assignment, Role
from kilonova.identity.authenticator import with_implied
from kilonova.store.database import Tx
from kilonova.store.queries import identity_roles
from kilonova.store.queries.identity_roles import Sought


def list_assignments(tx: Tx, sought: Sought, *, effective: bool) -> list[Assignment]:
    """What was sought; `effective` names a user in each, for every role that user has there by whatever way."""
    if not effective:
        return identity_roles.listed(tx, sought)
    made = identity_roles.listed(tx, replace(sought, role_id=None, through_groups=True))
    by_role = {role_id: with_implied(tx, {role_id}) for role_id in {one.role_id for one in made}}
    found = dict.fromkeys(_with_roles(_of_members(tx, made), by_role))
    return [one for one in found if sought.user_id in (None, one.user_id) and sought.role_id in (None, one.role_id)]


def _of_members(tx: Tx, made: list[Assignment]) -> Iterator[Assignment]:
    members = identity_roles.members(tx, (one.group_id for one in made if one.group_id is not None))
    for one in made:
        if one.group_id is None:
            yield one
        for user_id in members.get(one.group_id or "", ()):
            yield replace(one, group_id=None, user_id=user_id)


def _with_roles(made: Iterable[Assignment], by_role: dict[str, tuple[Role, ...]]) -> Iterator[Assignment]:
    for one in made:
        for role in by_role[one.role_id]:
            yield replace(one, role_id=role.id)
