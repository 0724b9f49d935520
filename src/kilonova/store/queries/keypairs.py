"""Key pairs: a user's public keys."""

from __future__ import annotations

from typing import Any

from sqlalchemy import delete, func, select
from sqlalchemy.dialects import postgresql, sqlite

from kilonova.domain.errors import Missing
from kilonova.domain.flavor import KeyPair
from kilonova.store.database import Tx
from kilonova.store.queries.keyset import Keyset, page
from kilonova.store.tables.compute import key_pairs

_KEYS = {"id": key_pairs.c.name}
_ADD = {
    dialect.dialect.name: dialect.insert(key_pairs)
    .on_conflict_do_nothing(index_elements=["user_id", "name"])
    .returning(key_pairs.c.number)
    for dialect in (postgresql, sqlite)
}


def add(tx: Tx, pair: KeyPair) -> bool:
    """Write a new key pair. False when the user has one of its name."""
    add_one = _ADD[tx.connection.dialect.name]
    return tx.execute(add_one, {name: getattr(pair, name) for name in pair.__struct_fields__}).first() is not None


def get(tx: Tx, user_id: str, name: str) -> KeyPair:
    """One of a user's. Raises Missing."""
    row = tx.execute(select(key_pairs).where(key_pairs.c.user_id == user_id, key_pairs.c.name == name)).first()
    if row is None:
        raise Missing("Keypair", name[:255])
    return _pair(row)


def page_of(tx: Tx, user_id: str, keyset: Keyset) -> list[KeyPair]:
    """A page of a user's, by name; a marker is a name. Raises Rejected for an unknown marker."""
    mine = select(key_pairs).where(key_pairs.c.user_id == user_id)
    return [_pair(row) for row in tx.execute(page(tx, mine, keyset, _KEYS, mine))]


def count(tx: Tx, user_id: str) -> int:
    """How many a user has."""
    return int(tx.execute(select(func.count()).where(key_pairs.c.user_id == user_id)).scalar_one())


def remove(tx: Tx, user_id: str, name: str) -> None:
    """Delete one of a user's. Raises Missing."""
    gone = tx.execute(delete(key_pairs).where(key_pairs.c.user_id == user_id, key_pairs.c.name == name))
    if gone.rowcount == 0:
        raise Missing("Keypair", name[:255])


def _pair(row: Any) -> KeyPair:
    return KeyPair(**row._mapping)  # noqa: SLF001 - SQLAlchemy's documented row accessor
