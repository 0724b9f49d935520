"""Users and their passwords. A new password, and being disabled, void every token issued before."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from kilonova.domain.errors import InvalidField
from kilonova.domain.identity import Domain, Project, User
from kilonova.identity.extra import merged
from kilonova.identity.login import check_password
from kilonova.identity.service import Identity
from kilonova.store.database import Tx
from kilonova.store.queries import identity as nouns


class NewUser(msgspec.Struct, frozen=True, kw_only=True):
    """What a user is made from; without a password nobody can log in as it."""

    name: str
    domain_id: str
    password: str | None = None
    email: str | None = None
    description: str | None = None
    enabled: bool = True
    default_project_id: str | None = None
    extra: dict[str, object] = {}


def create_user(identity: Identity, new: NewUser) -> User:
    """Make a user. Raises Conflict where its name is taken, InvalidField where its domain or project is not there."""
    now = identity.clock.now()
    made = User(
        id=identity.new_id(),
        domain_id=new.domain_id,
        name=new.name,
        email=new.email,
        description=new.description,
        enabled=new.enabled,
        default_project_id=new.default_project_id,
        password_hash=None if new.password is None else identity.passwords.hash(new.password),
        password_changed_at=None if new.password is None else now,
        tokens_not_before=None,
        extra=merged({}, new.extra),
        created_at=now,
    )
    with identity.changing() as tx:
        if nouns.find(tx, Domain, new.domain_id) is None:
            raise InvalidField("user.domain_id", f"there is no domain {new.domain_id}")
        _check_default_project(tx, new.default_project_id)
        nouns.add(tx, made)
    return made


def update_user(identity: Identity, ident: str, changes: Mapping[str, Any], extra: Mapping[str, object]) -> User:
    """Change a user; `password` among the changes sets a new one. Raises Missing, Conflict, InvalidField."""
    values = dict(changes)
    if "password" in values:
        values |= _new_password(identity, values.pop("password"))
    if values.get("enabled") is False:
        values["tokens_not_before"] = identity.clock.now()
    with identity.changing() as tx:
        _check_default_project(tx, values.get("default_project_id"))
        if extra:
            values["extra"] = merged(nouns.get(tx, User, ident, lock=True).extra, extra)
        return nouns.change(tx, User, ident, values)


class NewPassword(msgspec.Struct, frozen=True, kw_only=True):
    """A user's own change; `address` and `ticket` are those of the attempt, as of a login."""

    old: str
    new: str
    address: str = ""
    ticket: object = None


def change_password(identity: Identity, user: User, wanted: NewPassword) -> None:
    """Change it. Raises Unauthenticated where the old one is wrong, InvalidField where nothing would change, Postponed."""
    identity.throttle.admit(user.id, wanted.address, wanted.ticket)
    check_password(identity, user, wanted.old, account=user.id, address=wanted.address)
    new = wanted.new
    if new == wanted.old:
        raise InvalidField("user.password", "it must differ from the original_password")
    values = _new_password(identity, new)
    with identity.changing() as tx:
        nouns.change(tx, User, user.id, values)


def delete_user(identity: Identity, ident: str) -> None:
    """Delete a user with its assignments, memberships and application credentials; its tokens are void. Raises Missing."""
    with identity.changing() as tx:
        nouns.remove(tx, User, ident)


def _new_password(identity: Identity, password: str | None) -> dict[str, Any]:
    now = identity.clock.now()
    return {
        "password_hash": None if password is None else identity.passwords.hash(password),
        "password_changed_at": now,
        "tokens_not_before": now,
    }


def _check_default_project(tx: Tx, project_id: str | None) -> None:
    if project_id is not None and nouns.find(tx, Project, project_id) is None:
        raise InvalidField("user.default_project_id", f"there is no project {project_id}")
