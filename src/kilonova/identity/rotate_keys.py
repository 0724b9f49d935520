"""Replacing the keys that tokens are sealed with, and what those are wrapped with. Tokens given out stay good."""

from __future__ import annotations

from datetime import datetime

import msgspec

from kilonova.identity.key_store import is_wrapped
from kilonova.identity.keys import SETTLE, KeyRing, sealing_first
from kilonova.identity.service import Identity
from kilonova.store.queries import identity_tokens


class KeyState(msgspec.Struct, frozen=True, kw_only=True):
    """A key: what it does now (`seals`, `settles`: seals soon, `opens`), and whether it lies wrapped in the database."""

    purpose: str
    created_at: datetime
    state: str
    wrapped: bool


def list_keys(identity: Identity) -> list[KeyState]:
    """The keys, newest first."""
    now = identity.clock.now()
    with identity.database.read() as tx:
        keys = identity_tokens.keys(tx, identity.keys.purpose)
    seals = sealing_first(keys, now)[0] if keys else None

    def state(key: identity_tokens.SecretKey) -> str:
        if key is seals:
            return "seals"
        return "settles" if key.created_at + SETTLE > now else "opens"

    return [
        KeyState(
            purpose=identity.keys.purpose, created_at=key.created_at, state=state(key), wrapped=is_wrapped(key.key)
        )
        for key in keys
    ]


def rotate_keys(identity: Identity) -> list[KeyState]:
    """
    Make a new key to seal with, and wrap all anew. Raises Unavailable, with nothing changed that is needed.

    A wrapping key is replaced in three steps, each of which may be the last: the new one is in the store before anything is
    wrapped with it, and the old one leaves once nothing is.
    """
    store = identity.keys.store
    store.renew()
    with identity.database.write() as tx:
        identity.keys.rotate(tx)
        identity.keys.wrap_all(tx)
        tx.after_commit(store.retire)
    return list_keys(identity)


def ensure_wrapped(keys: KeyRing) -> int:
    """Wrap what a release before left plain; says how many. For a cloud of one process, whose every reader has the store."""
    with keys.database.write() as tx:
        return keys.wrap_all(tx, plain_only=True)
