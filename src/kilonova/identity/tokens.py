"""
Tokens: sealed claims and nothing else. There is no row for a token; what voids one is looked up when it is shown.

The claims say who, for what, how they proved it, and until when; roles and names are not among them, so a role that is taken away
or a project that is disabled counts at once. A token made from a token (re-scoping) keeps the first one's expiry and the last
audit id of its chain, so that nobody lives for ever by renewing.

Field names are not stored (`array_like`) and ids are kept as they are: about 250 characters for a token scoped to a project.
New fields may only be added at the end, with a default: tokens of the previous release must open.
"""

from __future__ import annotations

import base64
import secrets
from datetime import UTC, datetime, timedelta

import msgspec

from kilonova.domain.clock import Clock
from kilonova.domain.errors import Unauthenticated
from kilonova.identity.keys import KeyRing
from kilonova.store.queries.identity_roles import Scope

PURPOSE = "token"
LIFE = timedelta(hours=4)
MAX_LENGTH = 4096
"""Longer texts are not looked at."""

INVALID = "The token is not valid: it is unknown, has expired, or was revoked."


class Claims(msgspec.Struct, frozen=True, array_like=True):
    """What a token says. Times are microseconds since 1970; `audit_ids` is its own and, for a renewed one, the first's."""

    user_id: str
    methods: tuple[str, ...]
    audit_ids: tuple[str, ...]
    issued_us: int
    expires_us: int
    project_id: str | None = None
    domain_id: str | None = None
    system: bool = False
    application_credential_id: str | None = None

    @property
    def scope(self) -> Scope:
        """What it is for."""
        return Scope(project_id=self.project_id, domain_id=self.domain_id, system=self.system)

    @property
    def issued_at(self) -> datetime:
        """When it was made."""
        return _time(self.issued_us)

    @property
    def expires_at(self) -> datetime:
        """When it ends."""
        return _time(self.expires_us)


_CLAIMS = msgspec.msgpack.Decoder(Claims)


class Proof(msgspec.Struct, frozen=True, kw_only=True):
    """How somebody has shown who they are; `parent` is the token they did it with, if it was one."""

    user_id: str
    methods: tuple[str, ...]
    parent: Claims | None = None
    application_credential_id: str | None = None
    not_after: datetime | None = None


class TokenMaker:
    """Makes tokens and reads them. Whether what they stand on still stands is the TokenAuthenticator's to say."""

    def __init__(self, keys: KeyRing, clock: Clock, life: timedelta = LIFE) -> None:
        self._keys, self._clock, self._life = keys, clock, life

    def make(self, proof: Proof, scope: Scope) -> tuple[str, Claims]:
        """A new token for what was proved, and its claims."""
        now = self._clock.now()
        ends = [now + self._life]
        if proof.parent is not None:
            ends.append(proof.parent.expires_at)
        if proof.not_after is not None:
            ends.append(proof.not_after)
        claims = Claims(
            user_id=proof.user_id,
            methods=proof.methods,
            audit_ids=(_audit_id(), *(proof.parent.audit_ids[-1:] if proof.parent else ())),
            issued_us=_microseconds(now),
            expires_us=_microseconds(min(ends)),
            project_id=scope.project_id,
            domain_id=scope.domain_id,
            system=scope.system,
            application_credential_id=proof.application_credential_id,
        )
        return self._keys.seal(msgspec.msgpack.encode(claims)), claims

    def read(self, token: str) -> Claims:
        """The claims of a token that was made here and has not expired. Raises Unauthenticated, whatever the text."""
        content = self._keys.open(token) if 0 < len(token) <= MAX_LENGTH else None
        if content is None:
            raise Unauthenticated(INVALID)
        try:
            claims = _CLAIMS.decode(content)
        except msgspec.MsgspecError:  # sealed by a later release, in a form this one does not know
            raise Unauthenticated(INVALID) from None
        if claims.expires_us <= _microseconds(self._clock.now()):
            raise Unauthenticated(INVALID)
        return claims


def _audit_id() -> str:
    return base64.urlsafe_b64encode(secrets.token_bytes(16)).decode().rstrip("=")


def _microseconds(moment: datetime) -> int:
    return (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)


def _time(microseconds: int) -> datetime:
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=microseconds)
