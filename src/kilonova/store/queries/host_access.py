"""
Join tokens, hosts' credentials and what was refused.

Secrets are random and long, so a plain SHA-256 of them is kept; who compares them does so in constant time. A token is used up by
compare-and-swap: of two hosts with the same one, one joins.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, NamedTuple

import msgspec
from sqlalchemy import bindparam, delete, func, insert, select, update
from sqlalchemy.dialects import postgresql, sqlite

from kilonova.domain.host_access import HostCredential, JoinToken, Refusal
from kilonova.store.database import Tx
from kilonova.store.queries.text import in_order
from kilonova.store.tables.host_access import credentials, image_grants, join_tokens, refusals, seal_keys

KEPT_REFUSALS = 1000
GRANT_FOR = timedelta(hours=6)
_TOKEN_COLUMNS = [column for column in join_tokens.c if column.name != "secret_hash"]
_CREDENTIAL = select(credentials).where(credentials.c.host == bindparam("host"))


class StoredToken(NamedTuple):
    """A join token and the hash of its secret."""

    token: JoinToken
    secret_hash: str


def add_token(tx: Tx, token: JoinToken, secret_hash: str) -> None:
    """Write a new token down."""
    tx.execute(insert(join_tokens), {**msgspec.structs.asdict(token), "secret_hash": secret_hash})


def forget_tokens(tx: Tx, before: datetime) -> int:
    """Remove the tokens that expired before then. Returns how many."""
    return int(tx.execute(delete(join_tokens).where(join_tokens.c.expires_at < before)).rowcount)


def token(tx: Tx, token_id: str) -> StoredToken | None:
    """A token by its id."""
    row = tx.execute(select(join_tokens).where(join_tokens.c.id == token_id)).first()
    if row is None:
        return None
    fields = dict(row._mapping)  # noqa: SLF001 - SQLAlchemy's documented row accessor
    return StoredToken(secret_hash=fields.pop("secret_hash"), token=JoinToken(**fields))


def use_token(tx: Tx, token_id: str, host: str, now: datetime) -> bool:
    """Use a token up. False when it is used, expired or gone."""
    fresh = (join_tokens.c.id == token_id, join_tokens.c.used_at.is_(None), join_tokens.c.expires_at > now)
    return tx.execute(update(join_tokens).where(*fresh).values(used_by=host, used_at=now)).rowcount == 1


def give_token_back(tx: Tx, token_id: str) -> None:
    """Make a token good again: the join it was used for did not come about."""
    tx.execute(update(join_tokens).where(join_tokens.c.id == token_id).values(used_by=None, used_at=None))


def tokens(tx: Tx) -> list[JoinToken]:
    """Every token there is a record of, the newest first."""
    rows = tx.execute(select(*_TOKEN_COLUMNS).order_by(join_tokens.c.created_at.desc(), join_tokens.c.id))
    return [JoinToken(**row._mapping) for row in rows]  # noqa: SLF001 - SQLAlchemy's documented row accessor


def credential(tx: Tx, host: str, *, lock: bool = False) -> HostCredential | None:
    """A host's credential, a revoked one too; `lock` lets nobody give it another until this transaction ends."""
    row = tx.execute(_CREDENTIAL.with_for_update() if lock else _CREDENTIAL, {"host": host}).first()
    return None if row is None else HostCredential(**row._mapping)  # noqa: SLF001 - SQLAlchemy's documented row accessor


def live_hosts(tx: Tx) -> frozenset[str]:
    """The hosts whose credentials count."""
    return frozenset(tx.execute(select(credentials.c.host).where(credentials.c.revoked_at.is_(None))).scalars())


def revoked_hosts(tx: Tx) -> list[str]:
    """The hosts whose credentials were taken away."""
    query = (
        select(credentials.c.host).where(credentials.c.revoked_at.is_not(None)).order_by(in_order(credentials.c.host))
    )
    return list(tx.execute(query).scalars())


def give_credential(tx: Tx, host: str, secret_hash: str, now: datetime) -> int:
    """A host has this secret from now on, whatever it had before. Returns the credential's generation."""
    dialect = _dialect(tx)
    add = dialect.insert(credentials).values(host=host, secret_hash=secret_hash, generation=1, joined_at=now)
    newer = {
        "secret_hash": add.excluded.secret_hash, "generation": credentials.c.generation + 1, "joined_at": now,
        "revoked_at": None,
    }  # fmt: skip
    given = add.on_conflict_do_update(index_elements=["host"], set_=newer).returning(credentials.c.generation)
    return int(tx.execute(given).scalar_one())


def revoke(tx: Tx, host: str, now: datetime, *, generation: int | None = None) -> bool:
    """Take a host's credential away (only that of `generation`, if given). Says whether it had one."""
    held = [credentials.c.host == host, credentials.c.revoked_at.is_(None)]
    if generation is not None:
        held.append(credentials.c.generation == generation)
    return tx.execute(update(credentials).where(*held).values(revoked_at=now)).rowcount == 1


def grant_image(tx: Tx, host: str, image_id: str, now: datetime) -> None:
    """A host is told to fetch an image ahead of need: it may for GRANT_FOR, whether or not a server of its own needs it."""
    until = now + GRANT_FOR
    add = _dialect(tx).insert(image_grants).values(host=host, image_id=image_id, expires_at=until)
    tx.execute(add.on_conflict_do_update(index_elements=["host", "image_id"], set_={"expires_at": until}))


def has_grant(tx: Tx, host: str, image_id: str, now: datetime) -> bool:
    """Whether a host may fetch an image that no server of its own needs."""
    mine = (image_grants.c.host == host, image_grants.c.image_id == image_id, image_grants.c.expires_at > now)
    return tx.execute(select(image_grants.c.host).where(*mine)).first() is not None


def refuse(tx: Tx, refusal: Refusal) -> None:
    """Count a refusal; the oldest are forgotten when there are more than KEPT_REFUSALS kinds of them."""
    add = _dialect(tx).insert(refusals).values(msgspec.structs.asdict(refusal))
    again = {
        "times": refusals.c.times + add.excluded.times, "last_at": add.excluded.last_at, "about": add.excluded.about,
    }  # fmt: skip
    tx.execute(add.on_conflict_do_update(index_elements=["sender", "what", "why"], set_=again))
    surplus = int(tx.execute(select(func.count()).select_from(refusals)).scalar_one()) - KEPT_REFUSALS
    if surplus > 0:
        oldest = select(refusals.c.last_at).order_by(refusals.c.last_at).offset(surplus - 1).limit(1).scalar_subquery()
        tx.execute(delete(refusals).where(refusals.c.last_at <= oldest))


def refused(tx: Tx, *, sender: str | None = None, limit: int = KEPT_REFUSALS) -> list[Refusal]:
    """What was refused, the latest first; one sender's, if named."""
    query = (
        select(refusals)
        .order_by(refusals.c.last_at.desc(), *map(in_order, (refusals.c.sender, refusals.c.what, refusals.c.why)))
        .limit(limit)
    )
    if sender is not None:
        query = query.where(refusals.c.sender == sender)
    return [Refusal(**row._mapping) for row in tx.execute(query)]  # noqa: SLF001 - SQLAlchemy's documented row accessor


def joined(tx: Tx) -> Mapping[str, HostCredential]:
    """Every host's credential, by host."""
    rows = tx.execute(select(credentials))
    return {row.host: HostCredential(**row._mapping) for row in rows}  # noqa: SLF001 - as above


def _dialect(tx: Tx) -> Any:
    return postgresql if tx.connection.dialect.name == "postgresql" else sqlite


def seal_keys_of_all(tx: Tx) -> dict[str, str]:
    """Each host's public key."""
    return {row.host: row.public_key for row in tx.execute(select(seal_keys))}


def set_seal_key(tx: Tx, host: str, public_key: str) -> None:
    """A host told its key; "" that it has none. Under the lock of the host's record."""
    tx.execute(delete(seal_keys).where(seal_keys.c.host == host, seal_keys.c.public_key != public_key))
    is_there = tx.execute(select(seal_keys.c.host).where(seal_keys.c.host == host)).first() is not None
    if public_key and not is_there:
        tx.execute(insert(seal_keys), {"host": host, "public_key": public_key})
