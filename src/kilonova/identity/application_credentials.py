"""
Application credentials: a secret of a user's, for one project, with some of the roles that the user has there.

The secret is shown once. What the user loses, the credential loses; it can never do more than its user. A *restricted* one
(the default) may not make or delete further credentials, so that a leaked secret cannot dig itself in.
"""

from __future__ import annotations

import secrets
from datetime import datetime

import msgspec

from kilonova.domain.errors import Denied, InvalidField, Missing, OverQuota, Rejected
from kilonova.domain.identity import ApplicationCredential, Role, User
from kilonova.identity.authenticator import Verified
from kilonova.identity.service import Identity
from kilonova.store.queries import identity as nouns
from kilonova.store.tables.growth import CREDENTIALS_PER_USER


class RoleRef(msgspec.Struct, frozen=True):
    """A role by id or by name."""

    id: str | None = None
    name: str | None = None


class NewCredential(msgspec.Struct, frozen=True, kw_only=True):
    """What a credential is made from; no `roles` means all that the asking token has, no `secret` a random one."""

    name: str
    description: str | None = None
    secret: str | None = None
    roles: tuple[RoleRef, ...] = ()
    unrestricted: bool = False
    expires_at: datetime | None = None


def create_credential(identity: Identity, asking: Verified, new: NewCredential) -> tuple[ApplicationCredential, str]:
    """
    Make a credential for the asking token's user and project; gives it and its secret.

    Raises Rejected, Denied, Conflict, OverQuota.
    """
    if asking.project is None:
        raise Rejected(
            "An application credential acts on one project.", next_step="Use a token scoped to that project."
        )
    check_unrestricted(asking)
    if new.expires_at is not None and new.expires_at <= identity.clock.now():
        raise InvalidField("application_credential.expires_at", "it is in the past")
    secret = new.secret if new.secret is not None else secrets.token_urlsafe(48)
    made = ApplicationCredential(
        id=identity.new_id(),
        user_id=asking.user.id,
        project_id=asking.project.id,
        name=new.name,
        description=new.description,
        secret_hash=identity.passwords.hash(secret),
        role_ids=tuple(role.id for role in _chosen(asking, new.roles)),
        unrestricted=new.unrestricted,
        expires_at=new.expires_at,
        created_at=identity.clock.now(),
    )
    with identity.database.write() as tx:
        nouns.get(tx, User, made.user_id, lock=True)  # of several at once, each counts those before it
        used = nouns.count(tx, ApplicationCredential, user_id=made.user_id)
        if used >= CREDENTIALS_PER_USER:
            raise OverQuota("application credentials", requested=1, used=used, limit=CREDENTIALS_PER_USER)
        nouns.add(tx, made)
    return made, secret


def delete_credential(identity: Identity, asking: Verified, user_id: str, ident: str) -> None:
    """Delete a credential; tokens made with it are void. Raises Missing, Denied."""
    check_unrestricted(asking)
    with identity.changing() as tx:
        found = nouns.get(tx, ApplicationCredential, ident)
        if found.user_id != user_id:
            raise Missing("Application credential", ident)
        nouns.remove(tx, ApplicationCredential, ident)


def check_unrestricted(asking: Verified) -> None:
    """Raise Denied for a token that came from a restricted credential."""
    if asking.credential is not None and not asking.credential.unrestricted:
        raise Denied("A restricted application credential cannot manage application credentials.")


def _chosen(asking: Verified, wanted: tuple[RoleRef, ...]) -> tuple[Role, ...]:
    if not wanted:
        return asking.roles
    found = []
    for ref in wanted:
        role = next(
            (one for one in asking.roles if ref.id == one.id or (ref.id is None and ref.name == one.name)), None
        )
        if role is None:
            raise InvalidField(
                "application_credential.roles", f"you do not have the role {ref.id or ref.name} on this project"
            )
        found.append(role)
    return tuple(found)
