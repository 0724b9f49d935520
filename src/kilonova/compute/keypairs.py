"""Import, make and delete key pairs."""

from __future__ import annotations

from kilonova.compute import keys
from kilonova.domain.context import RequestContext
from kilonova.domain.errors import Conflict, OverQuota
from kilonova.domain.flavor import KeyPair
from kilonova.runtime import Runtime
from kilonova.store.queries import keypairs, quotas
from kilonova.store.queries.counters import next_number


class KeyPairs:
    """Makes, imports and deletes key pairs."""

    def __init__(self, runtime: Runtime) -> None:
        self._database, self._clock = runtime.db, runtime.clock

    def add(
        self, ctx: RequestContext, user_id: str, name: str, kind: str, public_key: str | None
    ) -> tuple[KeyPair, str | None]:
        """
        Keep a user's public key, or make a pair where none is given. Returns it, and a made one's private key.

        Raises Rejected (no key), Conflict (the name is taken) or OverQuota.
        """
        made = keys.generate(kind, user_id, self._clock) if public_key is None else None
        public = made.public_key if made else str(public_key)
        mark = made.fingerprint if made else keys.fingerprint(public, kind)
        with self._database.write() as tx:
            limit = quotas.limits(tx, ctx.project_id or "", user_id)["key_pairs"]
            pair = KeyPair(
                number=next_number(tx, "key_pairs"), user_id=user_id, name=name, type=kind, fingerprint=mark,
                public_key=public, created_at=self._clock.now(),
            )  # fmt: skip
            is_new = keypairs.add(tx, pair)
            quotas.hold(tx, user_id, "key_pairs")
            have = keypairs.count(tx, user_id) - is_new
            if 0 <= limit <= have:
                raise OverQuota("key_pairs", requested=1, used=have, limit=limit)
            if not is_new:
                raise Conflict(f"Key pair '{name}' already exists.")
        return pair, made.private_key if made else None

    def delete(self, user_id: str, name: str) -> None:
        """Forget one; servers that were booted with it keep what they were given. Raises Missing."""
        with self._database.write() as tx:
            keypairs.remove(tx, user_id, name)
