"""What identity needs done now and then: young keys, and no revocations of tokens that are long dead."""

from __future__ import annotations

from datetime import timedelta

from kilonova.identity.service import Identity
from kilonova.store.queries import identity_tokens

ROTATE_AFTER = timedelta(days=30)


class IdentityHousekeeping:
    """A reconciler, as the conductor runs them."""

    name = "identity"
    period_s = 3600.0

    def __init__(self, identity: Identity) -> None:
        self._identity = identity

    def activate(self) -> dict[str, int]:
        """Rotate the keys when the youngest is old, drop revocations that have expired. Idempotent."""
        with self._identity.database.write() as tx:
            rotated = self._identity.keys.rotate_when_older(tx, ROTATE_AFTER)
            dropped = identity_tokens.forget_expired(tx, self._identity.clock.now())
        return {"keys_rotated": int(rotated), "revocations_dropped": dropped}
