"""What the use cases of identity are handed: the database, the clock, and the makers of ids, hashes and tokens."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta

from kilonova.domain.clock import Clock, Ids
from kilonova.identity.authenticator import TokenAuthenticator
from kilonova.identity.key_store import KeyStore
from kilonova.identity.keys import KeyRing
from kilonova.identity.passwords import Passwords
from kilonova.identity.throttle import LoginThrottle
from kilonova.identity.tokens import LIFE, PURPOSE, TokenMaker
from kilonova.store.database import Database, Tx


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """One cloud's identity service; `authenticator` is what the other services' rims are given."""

    database: Database
    clock: Clock
    ids: Ids
    passwords: Passwords
    keys: KeyRing
    tokens: TokenMaker
    authenticator: TokenAuthenticator
    throttle: LoginThrottle

    def new_id(self) -> str:
        """An id as Keystone writes it: 32 hexadecimal digits."""
        return self.ids.uuid().replace("-", "")

    @contextmanager
    def changing(self) -> Iterator[Tx]:
        """A transaction after which no token may be trusted from memory."""
        with self.database.write() as tx:
            tx.after_commit(self.authenticator.forget)
            yield tx


def build_identity(
    database: Database,
    clock: Clock,
    ids: Ids,
    *,
    token_life: timedelta = LIFE,
    passwords: Passwords | None = None,
    key_store: KeyStore | None = None,
) -> Identity:
    """Wire the service over one database; without a store, keys lie in it as they are."""
    keys = KeyRing(database, clock, purpose=PURPOSE, life=token_life, store=key_store)
    tokens = TokenMaker(keys, clock, token_life)
    return Identity(
        database=database,
        clock=clock,
        ids=ids,
        passwords=passwords or Passwords(),
        keys=keys,
        tokens=tokens,
        authenticator=TokenAuthenticator(database, tokens, clock),
        throttle=LoginThrottle(clock),
    )
