"""
Keys that every process of the control plane shares through the database, and how they are replaced.

A key is made, then *settles*, then seals, and at last only opens:

    made ──(SETTLE)──► seals what is new ──(a younger key has settled)──► only opens ──(LIFE later)──► dropped

Every process reads the keys again after REFRESH, which is shorter than SETTLE: so when the first process begins to seal with a
new key, all others know it already, and no token is refused because of a rotation. The very first key has nothing to wait
for. Two processes that rotate at once make one key too many, which harms nothing.
"""

from __future__ import annotations

import itertools
import threading
from datetime import datetime, timedelta

import msgspec
from cryptography.fernet import Fernet, InvalidToken, MultiFernet

from kilonova.domain.clock import Clock
from kilonova.identity.key_store import KeyStore, PlainKeys, is_wrapped
from kilonova.store.database import Database, Tx
from kilonova.store.queries import identity_tokens
from kilonova.store.queries.identity_tokens import SecretKey

REFRESH = timedelta(seconds=60)
SETTLE = timedelta(seconds=300)


class KeyRing:
    """Seals and opens short texts with the keys of one purpose; `life` is how long a sealed text is of use."""

    def __init__(
        self, database: Database, clock: Clock, *, purpose: str, life: timedelta, store: KeyStore | None = None
    ) -> None:
        self.database, self.purpose, self.store = database, purpose, store or PlainKeys()
        self._clock, self._life = clock, life
        self._lock = threading.Lock()
        self._fernet: MultiFernet | None = None
        self._read_at = 0.0

    def seal(self, content: bytes) -> str:
        """Encrypt and sign; URL-safe text without padding."""
        return self._keys().encrypt(content).decode().rstrip("=")

    def open(self, text: str) -> bytes | None:
        """What was sealed, or None when it is not of ours."""
        try:
            padded = text + "=" * (-len(text) % 4)
            return self._keys().decrypt(padded.encode("ascii"))
        except (InvalidToken, UnicodeEncodeError):
            return None

    def rotate(self, tx: Tx) -> None:
        """Make a new key, and drop those that nothing valid can be sealed with any more."""
        now = self._make(tx).created_at
        for younger, old in itertools.pairwise(identity_tokens.keys(tx, self.purpose)):
            if younger.created_at + SETTLE + self._life < now:
                identity_tokens.drop_key(tx, self.purpose, old.created_at)
        tx.after_commit(self._forget)

    def ensure(self, tx: Tx) -> None:
        """Make the first key where there is none."""
        if not identity_tokens.keys(tx, self.purpose):
            self.rotate(tx)

    def rotate_when_older(self, tx: Tx, age: timedelta) -> bool:
        """Rotate when there is no key, or the youngest is older than `age`; says whether it did."""
        keys = identity_tokens.keys(tx, self.purpose)
        due = not keys or keys[0].created_at + age <= self._clock.now()
        if due:
            self.rotate(tx)
        return due

    def wrap_all(self, tx: Tx, *, plain_only: bool = False) -> int:
        """Keep all keys as the store wraps them now, or those alone that lie plain. Says how many."""
        kept = [key for key in identity_tokens.keys(tx, self.purpose) if not (plain_only and is_wrapped(key.key))]
        for key in kept:
            wrapped = self.store.wrap(self.store.unwrap(key.key))
            identity_tokens.keep_key(tx, self.purpose, msgspec.structs.replace(key, key=wrapped))
        return len(kept)

    def _make(self, tx: Tx) -> SecretKey:
        key = SecretKey(created_at=self._clock.now(), key=self.store.wrap(Fernet.generate_key()))
        identity_tokens.add_key(tx, self.purpose, key)
        return key

    def _keys(self) -> MultiFernet:
        with self._lock:
            now = self._clock.monotonic()
            if self._fernet is None or now - self._read_at > REFRESH.total_seconds():
                self._fernet, self._read_at = self._load(), now
            return self._fernet

    def _load(self) -> MultiFernet:
        with self.database.read() as tx:
            keys = identity_tokens.keys(tx, self.purpose)
        if not keys:
            with self.database.write() as tx:
                keys = identity_tokens.keys(tx, self.purpose) or [self._make(tx)]
        return MultiFernet([Fernet(self.store.unwrap(key.key)) for key in sealing_first(keys, self._clock.now())])

    def _forget(self) -> None:
        self._read_at = float("-inf")


def sealing_first(keys: list[SecretKey], now: datetime) -> list[SecretKey]:
    """The keys with the one that seals in front: the youngest that has settled, or the oldest of all."""
    settled = [key for key in keys if key.created_at + SETTLE <= now]
    first = settled[0] if settled else keys[-1]
    return [first, *(key for key in keys if key is not first)]
