"""What a token stands on (a user, a scope, both enabled), what voids it, and the keys that seal it."""

from __future__ import annotations

from datetime import datetime

import msgspec
from sqlalchemy import delete, exists, insert, select, update

from kilonova.store.database import Tx
from kilonova.store.queries.identity import add_once
from kilonova.store.tables.identity import domains, projects, revoked_tokens, secret_keys, users


class Subject(msgspec.Struct, frozen=True, kw_only=True):
    """A user as its tokens show it; `enabled` needs the domain to be so too."""

    id: str
    name: str
    domain_id: str
    domain_name: str
    enabled: bool
    tokens_not_before: datetime | None
    default_project_id: str | None


class Target(msgspec.Struct, frozen=True, kw_only=True):
    """A project as tokens show it; `enabled` needs the domain to be so too."""

    id: str
    name: str
    domain_id: str
    domain_name: str
    enabled: bool


class SecretKey(msgspec.Struct, frozen=True, kw_only=True):
    """A key and when it was made."""

    created_at: datetime
    key: bytes


def subject(tx: Tx, user_id: str) -> Subject | None:
    """The user of a token."""
    row = tx.execute(
        select(users, domains.c.name.label("domain_name"), domains.c.enabled.label("domain_enabled"))
        .join(domains, domains.c.id == users.c.domain_id)
        .where(users.c.id == user_id)
    ).first()
    if row is None:
        return None
    return Subject(
        id=row.id,
        name=row.name,
        domain_id=row.domain_id,
        domain_name=row.domain_name,
        enabled=row.enabled and row.domain_enabled,
        tokens_not_before=row.tokens_not_before,
        default_project_id=row.default_project_id,
    )


def target(tx: Tx, project_id: str) -> Target | None:
    """The project of a token."""
    row = tx.execute(
        select(projects, domains.c.name.label("domain_name"), domains.c.enabled.label("domain_enabled"))
        .join(domains, domains.c.id == projects.c.domain_id)
        .where(projects.c.id == project_id)
    ).first()
    if row is None:
        return None
    return Target(
        id=row.id,
        name=row.name,
        domain_id=row.domain_id,
        domain_name=row.domain_name,
        enabled=row.enabled and row.domain_enabled,
    )


def is_revoked(tx: Tx, audit_id: str) -> bool:
    """Whether this very token was revoked."""
    return bool(tx.execute(select(exists().where(revoked_tokens.c.audit_id == audit_id))).scalar())


def revoke(tx: Tx, audit_id: str, expires_at: datetime) -> None:
    """Void one token; the row may go when the token would have expired anyway."""
    add_once(tx, revoked_tokens, {"audit_id": audit_id, "expires_at": expires_at})


def forget_expired(tx: Tx, now: datetime) -> int:
    """Drop revocations of tokens that have expired since; says how many."""
    return tx.execute(delete(revoked_tokens).where(revoked_tokens.c.expires_at <= now)).rowcount


def keys(tx: Tx, purpose: str) -> list[SecretKey]:
    """The keys of a purpose, newest first."""
    query = select(secret_keys).where(secret_keys.c.purpose == purpose).order_by(secret_keys.c.created_at.desc())
    return [SecretKey(created_at=row.created_at, key=row.key) for row in tx.execute(query)]


def add_key(tx: Tx, purpose: str, key: SecretKey) -> None:
    """Keep a new key."""
    tx.execute(insert(secret_keys), {"purpose": purpose, "created_at": key.created_at, "key": key.key})


def keep_key(tx: Tx, purpose: str, key: SecretKey) -> None:
    """Keep a key that is there in another form."""
    this = (secret_keys.c.purpose == purpose, secret_keys.c.created_at == key.created_at)
    tx.execute(update(secret_keys).where(*this).values(key=key.key))


def drop_key(tx: Tx, purpose: str, created_at: datetime) -> None:
    """Forget a key: what it sealed is void from now on."""
    tx.execute(delete(secret_keys).where(secret_keys.c.purpose == purpose, secret_keys.c.created_at == created_at))
