"""
From a token to a caller, many thousand times a second.

A token is checked in full against the database (`_verify`), and the result is kept for TTL_S seconds, never past the token's
own end. Whatever could make the answer another one (a revocation, a password, a role, a disabled project) clears the memory of
this process as soon as it is committed; other processes notice when theirs runs out.

The race: a check that reads before such a change and finishes after it must not put its stale answer back. So the memory has an
epoch; `forget` raises it, and an answer is kept only if the epoch is the one its reading began with.
"""

from __future__ import annotations

import threading
from datetime import datetime
from typing import Any

import msgspec

from kilonova.domain.clock import Clock
from kilonova.domain.context import RequestContext
from kilonova.domain.errors import Unauthenticated
from kilonova.domain.identity import ApplicationCredential, Domain, Role, implied
from kilonova.identity.tokens import INVALID, Claims, TokenMaker
from kilonova.store.database import Database, Tx
from kilonova.store.queries import identity, identity_roles, identity_tokens
from kilonova.store.queries.identity_roles import Scope
from kilonova.store.queries.identity_tokens import Subject, Target

TTL_S = 5.0
CAPACITY = 4096


class Verified(msgspec.Struct, frozen=True, kw_only=True):
    """A token that holds good: its claims, whom and what they stand for, and the roles, implied ones too."""

    claims: Claims
    user: Subject
    project: Target | None
    domain: Domain | None
    roles: tuple[Role, ...]
    credential: ApplicationCredential | None
    context: RequestContext


class _Kept(msgspec.Struct, frozen=True):
    verified: Verified
    until: float


class TokenAuthenticator:
    """Fills the rim's Authenticator port."""

    def __init__(self, database: Database, maker: TokenMaker, clock: Clock) -> None:
        self._database, self._maker, self._clock = database, maker, clock
        self._lock = threading.Lock()
        self._kept: dict[str, _Kept] = {}
        self._epoch = 0

    def authenticate(self, token: str) -> RequestContext:
        """The caller a token speaks for. Raises Unauthenticated."""
        return self.verify(token).context

    def verify(self, token: str) -> Verified:
        """As `authenticate`, with everything that is known of the token."""
        kept = self._kept.get(token)
        if kept is not None and self._clock.monotonic() < kept.until:
            return kept.verified
        epoch = self._epoch
        claims = self._maker.read(token)
        with self._database.read() as tx:
            verified = verify_claims(tx, claims)
        self._keep(token, verified, epoch)
        return verified

    def forget(self) -> None:
        """What was known may no longer hold: check every token again. Meant for `tx.after_commit`."""
        with self._lock:
            self._epoch += 1
            self._kept = {}

    def _keep(self, token: str, verified: Verified, epoch: int) -> None:
        left = (verified.claims.expires_at - self._clock.now()).total_seconds()
        with self._lock:
            if epoch != self._epoch:
                return
            if len(self._kept) >= CAPACITY:
                self._kept = {}
            self._kept[token] = _Kept(verified, self._clock.monotonic() + min(TTL_S, left))


def verify_claims(tx: Tx, claims: Claims) -> Verified:
    """Hold claims against the database: everything they stand on must be there and enabled. Raises Unauthenticated."""
    user = identity_tokens.subject(tx, claims.user_id)
    if user is None or not user.enabled or _is_void(user.tokens_not_before, claims):
        raise Unauthenticated(INVALID)
    if identity_tokens.is_revoked(tx, claims.audit_ids[0]):
        raise Unauthenticated(INVALID)
    project, domain = find_target(tx, claims.scope)
    credential = identity.find(tx, ApplicationCredential, claims.application_credential_id)
    if (credential is None) != (claims.application_credential_id is None):
        raise Unauthenticated(INVALID)
    roles = effective_roles(tx, claims.user_id, claims.scope, credential)
    if not roles and not claims.scope.is_nothing:
        raise Unauthenticated(INVALID)
    return Verified(
        claims=claims,
        user=user,
        project=project,
        domain=domain,
        roles=roles,
        credential=credential,
        context=_context(claims, user, project, roles),
    )


def find_target(tx: Tx, scope: Scope) -> tuple[Target | None, Domain | None]:
    """The project or the domain of a scope. Raises Unauthenticated when it is gone or disabled."""
    project = None if scope.project_id is None else identity_tokens.target(tx, scope.project_id)
    domain = identity.find(tx, Domain, scope.domain_id)
    wanted: Any = project if scope.project_id is not None else domain
    if (scope.project_id or scope.domain_id) and (wanted is None or not wanted.enabled):
        raise Unauthenticated(INVALID)
    return project, domain


def effective_roles(
    tx: Tx, user_id: str, scope: Scope, credential: ApplicationCredential | None = None
) -> tuple[Role, ...]:
    """The roles a user has in a scope, with implied ones; a credential has those of its own that the user still has."""
    held = with_implied(tx, identity_roles.role_ids_of(tx, user_id, scope))
    if credential is None:
        return held
    return with_implied(tx, {role.id for role in held} & set(credential.role_ids))


def with_implied(tx: Tx, role_ids: set[str]) -> tuple[Role, ...]:
    """These roles and what they imply, by name."""
    found = {role.name: role for role in identity.many(tx, Role, role_ids).values()}
    for name in [name for held in found for name in implied(held)]:
        role = found.get(name) or identity.named(tx, Role, name)
        if role is not None:
            found[name] = role
    return tuple(found[name] for name in sorted(found))


def _is_void(not_before: datetime | None, claims: Claims) -> bool:
    return not_before is not None and claims.issued_at < not_before


def _context(claims: Claims, user: Subject, project: Target | None, roles: tuple[Role, ...]) -> RequestContext:
    names = tuple(role.name for role in roles)
    return RequestContext(
        request_id="",
        user_id=user.id,
        user_name=user.name,
        user_domain_id=user.domain_id,
        project_id=claims.project_id,
        project_name=project.name if project else None,
        project_domain_id=project.domain_id if project else None,
        domain_id=claims.domain_id,
        system_scope="all" if claims.system else None,
        roles=names,
        is_admin="admin" in names,
        token_id=claims.audit_ids[0],
    )
