"""The body of a login, and what it asks for."""

from __future__ import annotations

from typing import Annotated

from kilonova.api.framework import UNSET, Maybe, Meta, Params
from kilonova.api.framework.types import Text255
from kilonova.domain.errors import Rejected
from kilonova.identity.login import CredentialProof, LoginRequest, Named, PasswordProof, WantedScope
from kilonova.identity.passwords import MAX_LENGTH

Secret = Annotated[str, Meta(max_length=MAX_LENGTH)]


class DomainRef(Params, strict=False):
    """A domain by id or by name."""

    id: Maybe[Text255] = UNSET
    name: Maybe[Text255] = UNSET


class ScopedRef(Params, strict=False):
    """A project, or a user, by id or by name and domain."""

    id: Maybe[Text255] = UNSET
    name: Maybe[Text255] = UNSET
    domain: Maybe[DomainRef] = UNSET


class PasswordUser(ScopedRef, strict=False):
    """A user and its password."""

    password: Secret


class PasswordMethod(Params, strict=False):
    """The content of method `password`."""

    user: PasswordUser


class TokenMethod(Params, strict=False):
    """The content of method `token`."""

    id: Secret


class CredentialMethod(Params, strict=False):
    """The content of method `application_credential`."""

    id: Maybe[Text255] = UNSET
    name: Maybe[Text255] = UNSET
    user: Maybe[ScopedRef] = UNSET
    secret: Secret


class IdentityParams(Params, strict=False):
    """How somebody proves who they are."""

    methods: Annotated[list[str], Meta(min_length=1, max_length=8)]
    password: Maybe[PasswordMethod] = UNSET
    token: Maybe[TokenMethod] = UNSET
    application_credential: Maybe[CredentialMethod] = UNSET


class SystemScope(Params, strict=False):
    """The system; all of it is the only choice."""

    all: bool = False


class ScopeParams(Params, strict=False):
    """What the token shall be for: one of these."""

    project: Maybe[ScopedRef] = UNSET
    domain: Maybe[DomainRef] = UNSET
    system: Maybe[SystemScope] = UNSET


class AuthParams(Params, strict=False):
    """A login."""

    identity: IdentityParams
    scope: Maybe[ScopeParams | str] = UNSET


def login_request(params: AuthParams, address: str, ticket: object) -> LoginRequest:
    """What is asked, as the use case takes it. Raises Rejected for what cannot be understood."""
    given = params.identity
    wanted = {method: getattr(given, method, UNSET) for method in given.methods}
    for method, content in wanted.items():
        if content is UNSET and method in IdentityParams.__struct_fields__:
            raise Rejected(f"auth.identity.methods names {method}, but auth.identity.{method} is missing.")
    return LoginRequest(
        password=_password(given) if "password" in wanted else None,
        token=given.token.id if "token" in wanted and given.token is not UNSET else None,
        application_credential=_credential_proof(given) if "application_credential" in wanted else None,
        scope=_scope(params.scope),
        address=address,
        ticket=ticket,
    )


def _password(given: IdentityParams) -> PasswordProof | None:
    if given.password is UNSET:
        return None
    user = given.password.user
    return PasswordProof(user=_named(user, "auth.identity.password.user"), password=user.password)


def _credential_proof(given: IdentityParams) -> CredentialProof | None:
    one = given.application_credential
    if one is UNSET:
        return None
    where = "auth.identity.application_credential"
    if one.id is UNSET and (one.name is UNSET or one.user is UNSET):
        raise Rejected(f"{where} needs an id, or a name and a user.")
    return CredentialProof(
        id=_or_none(one.id),
        name=_or_none(one.name),
        user=None if one.user is UNSET else _named(one.user, f"{where}.user"),
        secret=one.secret,
    )


def _scope(given: Maybe[ScopeParams | str]) -> WantedScope | None:
    if given is UNSET:
        return None
    if isinstance(given, str):
        if given != "unscoped":
            raise Rejected("auth.scope is a project, a domain, the system, or the word 'unscoped'.")
        return WantedScope()
    chosen = [name for name in ("project", "domain", "system") if getattr(given, name) is not UNSET]
    if len(chosen) != 1:
        raise Rejected("auth.scope must hold exactly one of project, domain and system.")
    if given.project is not UNSET:
        return WantedScope(project=_named(given.project, "auth.scope.project"))
    if given.domain is not UNSET:
        if given.domain.id is UNSET and given.domain.name is UNSET:
            raise Rejected("auth.scope.domain needs an id or a name.")
        return WantedScope(domain=Named(id=_or_none(given.domain.id), name=_or_none(given.domain.name)))
    if given.system is UNSET or not given.system.all:
        raise Rejected("auth.scope.system must be {'all': true}.")
    return WantedScope(system=True)


def _named(given: ScopedRef, where: str) -> Named:
    domain = given.domain if given.domain is not UNSET else DomainRef()
    if given.id is UNSET and (given.name is UNSET or (domain.id is UNSET and domain.name is UNSET)):
        raise Rejected(f"{where} needs an id, or a name and a domain.")
    return Named(
        id=_or_none(given.id),
        name=_or_none(given.name),
        domain_id=_or_none(domain.id),
        domain_name=_or_none(domain.name),
    )


def _or_none(value: Maybe[str]) -> str | None:
    return None if value is UNSET else value
