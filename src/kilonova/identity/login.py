"""
Logging in: proofs of who somebody is, a scope, and a token for both.

Every refusal is the same 401 with the same words, whether the user, the domain, the project or the role is missing, something is
disabled, or the password is wrong; a password is hashed in each case, and who or what is not there is looked for as far as what
is: so neither text nor time tells them apart.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from kilonova.domain.errors import KilonovaError, Rejected, Unauthenticated
from kilonova.domain.identity import ApplicationCredential, Domain, Project, User
from kilonova.identity.authenticator import Verified, verify_claims
from kilonova.identity.service import Identity
from kilonova.identity.tokens import Proof
from kilonova.store.database import Tx
from kilonova.store.queries import identity as nouns
from kilonova.store.queries import identity_roles
from kilonova.store.queries.identity_roles import Scope

_NOTHING = ""  # the id of nothing
REFUSED = "The request you have made requires authentication."


class Named(msgspec.Struct, frozen=True, kw_only=True):
    """Something by its id, or by its name within a domain (itself by id or by name)."""

    id: str | None = None
    name: str | None = None
    domain_id: str | None = None
    domain_name: str | None = None


class PasswordProof(msgspec.Struct, frozen=True, kw_only=True):
    """A user and a password."""

    user: Named
    password: str


class CredentialProof(msgspec.Struct, frozen=True, kw_only=True):
    """An application credential, by id or by name and user, and its secret."""

    id: str | None
    name: str | None
    user: Named | None
    secret: str


class WantedScope(msgspec.Struct, frozen=True, kw_only=True):
    """What a token is asked for; nothing set is an explicitly unscoped one."""

    project: Named | None = None
    domain: Named | None = None
    system: bool = False


class LoginRequest(msgspec.Struct, frozen=True, kw_only=True):
    """
    One attempt: the proofs of the methods named, and a scope. `scope` None is the user's default project, if any. `ticket`: whose
    turn it is (`throttle`).
    """

    password: PasswordProof | None = None
    token: str | None = None
    application_credential: CredentialProof | None = None
    scope: WantedScope | None = None
    address: str = ""
    ticket: object = None


class Issued(msgspec.Struct, frozen=True, kw_only=True):
    """A new token, and what it stands for."""

    token: str
    verified: Verified


def log_in(identity: Identity, request: LoginRequest) -> Issued:
    """Check every proof, resolve the scope, make a token. Raises Unauthenticated, Rejected, Postponed, TooManyAttempts."""
    proofs = list(_proofs(identity, request))
    if not proofs:
        raise Rejected("auth.identity.methods names no method that is served: password, token, application_credential.")
    if len({proof.user_id for proof in proofs}) != 1:
        raise Unauthenticated(REFUSED)
    proof = _joined(proofs)
    with identity.database.read() as tx:
        scope = _resolve_scope(tx, proof, request)
        token, claims = identity.tokens.make(proof, scope)
        try:
            return Issued(token=token, verified=verify_claims(tx, claims))
        except Unauthenticated:
            raise Unauthenticated(REFUSED) from None


# --- who --------------------------------------------------------------------------------------------------------------


def _proofs(identity: Identity, request: LoginRequest) -> list[Proof]:
    found = []
    if request.password is not None:
        found.append(_by_password(identity, request.password, request))
    if request.token is not None:
        found.append(_by_token(identity, request.token))
    if request.application_credential is not None:
        found.append(_by_credential(identity, request.application_credential, request))
    return found


def _joined(proofs: list[Proof]) -> Proof:
    """One proof that was made by all methods; what restricts one of them restricts it."""
    methods = tuple(dict.fromkeys(method for proof in proofs for method in proof.methods))
    parent = next((proof.parent for proof in proofs if proof.parent), None)
    credential = next((proof for proof in proofs if proof.application_credential_id), proofs[0])
    return msgspec.structs.replace(credential, methods=methods, parent=parent)


def _by_password(identity: Identity, given: PasswordProof, request: LoginRequest) -> Proof:
    with identity.database.read() as tx:
        user = find_user(tx, given.user)
    account = (
        user.id if user else f"{given.user.domain_id or given.user.domain_name}/{given.user.id or given.user.name}"
    )
    identity.throttle.admit(account, request.address, request.ticket)
    proven = check_password(identity, user, given.password, account=account, address=request.address)
    return Proof(user_id=proven.id, methods=("password",))


def check_password(identity: Identity, user: User | None, password: str, *, account: str, address: str) -> User:
    """The user, if the password is theirs: an attempt that was admitted. Raises Unauthenticated."""
    hashed = user.password_hash if user else None
    if not identity.passwords.verify(hashed, password) or user is None or hashed is None:
        identity.throttle.failed(account, address)
        raise Unauthenticated(REFUSED)
    identity.throttle.succeeded(account, address)
    if identity.passwords.is_outdated(hashed):
        renewed = identity.passwords.hash(password)
        with identity.database.write() as tx:
            nouns.change(tx, User, user.id, {"password_hash": renewed})
    return user


def _by_token(identity: Identity, token: str) -> Proof:
    claims = identity.authenticator.verify(token).claims
    return Proof(
        user_id=claims.user_id,
        methods=tuple(dict.fromkeys(("token", *claims.methods))),
        parent=claims,
        application_credential_id=claims.application_credential_id,
    )


def _by_credential(identity: Identity, given: CredentialProof, request: LoginRequest) -> Proof:
    with identity.database.read() as tx:
        found = _find_credential(tx, given)
    account = f"credential {found.id if found else given.id or given.name}"
    identity.throttle.admit(account, request.address, request.ticket)
    right = identity.passwords.verify(found.secret_hash if found else None, given.secret)
    if found is None or not right:
        identity.throttle.failed(account, request.address)
        raise Unauthenticated(REFUSED)
    identity.throttle.succeeded(account, request.address)
    if found.expires_at is not None and found.expires_at <= identity.clock.now():
        raise Unauthenticated(REFUSED)
    return Proof(
        user_id=found.user_id,
        methods=("application_credential",),
        application_credential_id=found.id,
        not_after=found.expires_at,
    )


def _find_credential(tx: Tx, given: CredentialProof) -> ApplicationCredential | None:
    if given.id is not None:
        return nouns.find(tx, ApplicationCredential, given.id)
    user = find_user(tx, given.user) if given.user else None
    return nouns.named(tx, ApplicationCredential, given.name or _NOTHING, user_id=user.id if user else _NOTHING)


# --- for what ---------------------------------------------------------------------------------------------------------


def _resolve_scope(tx: Tx, proof: Proof, request: LoginRequest) -> Scope:
    wanted = request.scope
    if proof.application_credential_id is not None:
        return _scope_of_credential(tx, proof.application_credential_id, wanted)
    if wanted is None:
        return _default_scope(tx, proof.user_id)
    if wanted.project is not None:
        project = find_project(tx, wanted.project)
        return Scope(project_id=_own(project, identity_roles.project_ids_of(tx, proof.user_id)))
    if wanted.domain is not None:
        domain = find_domain(tx, wanted.domain.id, wanted.domain.name)
        return Scope(domain_id=_own(domain, identity_roles.domain_ids_of(tx, proof.user_id)))
    return Scope(system=wanted.system)


def _own(found: Project | Domain | None, ids: Sequence[str]) -> str:
    """Its id. Raises Unauthenticated for nothing, and alike for what is somebody else's."""
    if found is None or found.id not in ids:
        raise Unauthenticated(REFUSED)
    return found.id


def _scope_of_credential(tx: Tx, ident: str, wanted: WantedScope | None) -> Scope:
    credential = nouns.find(tx, ApplicationCredential, ident)
    if credential is None:
        raise Unauthenticated(REFUSED)
    if wanted is not None and (
        wanted.project is None or find_project(tx, wanted.project, credential.project_id) is None
    ):
        raise Unauthenticated("Application credentials cannot request a scope.")
    return Scope(project_id=credential.project_id)


def _default_scope(tx: Tx, user_id: str) -> Scope:
    user = nouns.find(tx, User, user_id)
    project_id = user.default_project_id if user else None
    if project_id is not None and project_id in identity_roles.project_ids_of(tx, user_id):
        return Scope(project_id=project_id)
    return Scope()


def find_domain(tx: Tx, ident: str | None, name: str | None) -> Domain | None:
    """A domain by id or else by name."""
    if ident is not None:
        return nouns.find(tx, Domain, ident)
    return None if name is None else nouns.named(tx, Domain, name)


def find_user(tx: Tx, given: Named) -> User | None:
    """A user by id, or by name and domain; None unless it and its domain are enabled."""
    if given.id is not None:
        user = nouns.find(tx, User, given.id)
        domain = nouns.find(tx, Domain, user.domain_id if user else _NOTHING)
    else:
        domain = find_domain(tx, given.domain_id, given.domain_name)
        user = nouns.named(tx, User, given.name or _NOTHING, domain_id=domain.id if domain else _NOTHING)
    return user if user and domain and user.enabled and domain.enabled else None


def find_project(tx: Tx, given: Named, expected: str | None = None) -> Project | None:
    """A project by id, or by name and domain; with `expected`, None unless it is that one."""
    if given.id is not None:
        found = nouns.find(tx, Project, given.id)
    else:
        domain = find_domain(tx, given.domain_id, given.domain_name)
        found = nouns.named(tx, Project, given.name or _NOTHING, domain_id=domain.id if domain else _NOTHING)
    return found if found is not None and expected in (None, found.id) else None


def read_subject(identity: Identity, token: str) -> Verified | None:
    """A token that somebody asks about; None when it is not valid."""
    try:
        return identity.authenticator.verify(token)
    except KilonovaError:
        return None
