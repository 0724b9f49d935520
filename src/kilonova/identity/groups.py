"""Groups and who is in them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from kilonova.domain.errors import InvalidField, Missing
from kilonova.domain.identity import Domain, Group, User
from kilonova.identity.service import Identity
from kilonova.store.queries import identity as nouns
from kilonova.store.queries import identity_roles


class NewGroup(msgspec.Struct, frozen=True, kw_only=True):
    """What a group is made from."""

    name: str
    domain_id: str
    description: str = ""


def create_group(identity: Identity, new: NewGroup) -> Group:
    """Make a group. Raises Conflict where its name is taken, InvalidField where its domain is not there."""
    made = Group(id=identity.new_id(), created_at=identity.clock.now(), **msgspec.structs.asdict(new))
    with identity.database.write() as tx:
        if nouns.find(tx, Domain, new.domain_id) is None:
            raise InvalidField("group.domain_id", f"there is no domain {new.domain_id}")
        nouns.add(tx, made)
    return made


def update_group(identity: Identity, ident: str, changes: Mapping[str, Any]) -> Group:
    """Change a group. Raises Missing, Conflict."""
    with identity.database.write() as tx:
        return nouns.change(tx, Group, ident, changes)


def delete_group(identity: Identity, ident: str) -> None:
    """Delete a group; its members lose what it gave them. Raises Missing."""
    with identity.changing() as tx:
        nouns.remove(tx, Group, ident)


def add_member(identity: Identity, group_id: str, user_id: str) -> None:
    """Put a user into a group. Raises Missing."""
    with identity.changing() as tx:
        nouns.get(tx, Group, group_id)
        nouns.get(tx, User, user_id)
        identity_roles.join_group(tx, group_id, user_id)


def remove_member(identity: Identity, group_id: str, user_id: str) -> None:
    """Take a user out of a group. Raises Missing, also where the user is not in it."""
    with identity.changing() as tx:
        nouns.get(tx, Group, group_id)
        if not identity_roles.leave_group(tx, group_id, user_id):
            raise Missing("User", f"{user_id} in group {group_id}")
