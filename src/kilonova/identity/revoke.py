"""Voiding tokens before their time."""

from __future__ import annotations

from kilonova.identity.service import Identity
from kilonova.identity.tokens import Claims
from kilonova.store.queries import identity_tokens


def revoke_token(identity: Identity, claims: Claims) -> None:
    """Void one token, and no other of its user's. At once in this process, within seconds in the others."""
    with identity.changing() as tx:
        identity_tokens.revoke(tx, claims.audit_ids[0], claims.expires_at)
