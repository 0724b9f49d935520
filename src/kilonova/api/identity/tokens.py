"""`/v3/auth/tokens`: log in, look at a token, revoke one."""

from __future__ import annotations

from typing import Annotated, Any

from kilonova.api.framework import UNSET, Maybe, Meta, Params, Query, Reply, Request, Route, View
from kilonova.api.framework.types import Text255
from kilonova.api.identity.views import InDomainView, NamedView, named, token_time
from kilonova.domain.errors import Missing, Rejected
from kilonova.identity import login
from kilonova.identity.authenticator import Verified
from kilonova.identity.catalog import CatalogEntry, build_catalog
from kilonova.identity.login import CredentialProof, LoginRequest, Named, PasswordProof, WantedScope, log_in
from kilonova.identity.passwords import MAX_LENGTH
from kilonova.identity.revoke import revoke_token
from kilonova.identity.service import Identity

Secret = Annotated[str, Meta(max_length=MAX_LENGTH)]
SUBJECT = "x-subject-token"


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


class TokenQuery(Query):
    """`nocatalog` leaves the catalog out, whatever its value."""

    nocatalog: Maybe[str] = UNSET


class UserView(View):
    """Whose token it is."""

    id: str
    name: str
    domain: NamedView
    password_expires_at: str | None


class CredentialView(View):
    """The application credential it was made with."""

    id: str
    name: str
    restricted: bool


class TokenView(View):
    """A token on the wire."""

    methods: list[str]
    user: UserView
    audit_ids: list[str]
    expires_at: str
    issued_at: str
    roles: Maybe[list[NamedView]] = UNSET
    project: Maybe[InDomainView] = UNSET
    is_domain: Maybe[bool] = UNSET
    domain: Maybe[NamedView] = UNSET
    system: Maybe[dict[str, bool]] = UNSET
    catalog: Maybe[list[CatalogEntry]] = UNSET
    application_credential: Maybe[CredentialView] = UNSET


class Tokens:
    """The token resource."""

    def __init__(self, identity: Identity) -> None:
        self._identity = identity

    def create(self, req: Request[AuthParams, TokenQuery]) -> Reply:
        """Log in."""
        issued = log_in(self._identity, _login_request(req))
        return Reply(
            self._view(req, issued.verified), headers={"X-Subject-Token": issued.token, "Vary": "X-Auth-Token"}
        )

    def show(self, req: Request[None, TokenQuery]) -> Reply:
        """What a token stands for; 404 where it is not valid."""
        token, verified = self._subject(req, "identity:validate_token")
        return Reply(self._view(req, verified), headers={"X-Subject-Token": token, "Vary": "X-Auth-Token"})

    def delete(self, req: Request[None, Query]) -> None:
        """Revoke a token."""
        _, verified = self._subject(req, "identity:revoke_token")
        revoke_token(self._identity, verified.claims)

    def _subject(self, req: Request[Any, Any], rule: str) -> tuple[str, Verified]:
        token = req.headers.get(SUBJECT, "")
        if not token:
            raise Rejected("The header X-Subject-Token is missing: it holds the token that is asked about.")
        verified = login.read_subject(self._identity, token)
        if verified is None:
            req.authorize(rule, {})
            raise Missing("Token", "in X-Subject-Token")
        req.authorize(rule, {"user_id": verified.user.id})
        return token, verified

    def _view(self, req: Request[Any, TokenQuery], verified: Verified) -> TokenView:
        claims, user = verified.claims, verified.user
        return TokenView(
            methods=list(claims.methods),
            user=UserView(
                id=user.id,
                name=user.name,
                domain=NamedView(id=user.domain_id, name=user.domain_name),
                password_expires_at=None,
            ),
            audit_ids=list(claims.audit_ids),
            expires_at=token_time(claims.expires_at),
            issued_at=token_time(claims.issued_at),
            roles=UNSET if claims.scope.is_nothing else [named(role) for role in verified.roles],
            project=_project(verified),
            is_domain=UNSET if verified.project is None else False,
            domain=UNSET if verified.domain is None else named(verified.domain),
            system={"all": True} if claims.system else UNSET,
            catalog=UNSET if claims.scope.is_nothing or req.query.nocatalog is not UNSET else self._catalog(verified),
            application_credential=_credential(verified),
        )

    def _catalog(self, verified: Verified) -> list[CatalogEntry]:
        with self._identity.database.read() as tx:
            return build_catalog(tx, project_id=verified.claims.project_id, user_id=verified.user.id)


def _project(verified: Verified) -> Maybe[InDomainView]:
    project = verified.project
    if project is None:
        return UNSET
    return InDomainView(
        id=project.id, name=project.name, domain=NamedView(id=project.domain_id, name=project.domain_name)
    )


def _credential(verified: Verified) -> Maybe[CredentialView]:
    one = verified.credential
    return UNSET if one is None else CredentialView(id=one.id, name=one.name, restricted=not one.unrestricted)


# --- reading a login --------------------------------------------------------------------------------------------------


def _login_request(req: Request[AuthParams, TokenQuery]) -> LoginRequest:
    given = req.params.identity
    wanted = {method: getattr(given, method, UNSET) for method in given.methods}
    for method, content in wanted.items():
        if content is UNSET and method in IdentityParams.__struct_fields__:
            raise Rejected(f"auth.identity.methods names {method}, but auth.identity.{method} is missing.")
    return LoginRequest(
        password=_password(given) if "password" in wanted else None,
        token=given.token.id if "token" in wanted and given.token is not UNSET else None,
        application_credential=_credential_proof(given) if "application_credential" in wanted else None,
        scope=_scope(req.params.scope),
        address=req.client,
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


ROUTES = (
    Route(
        "POST", "/auth/tokens", Tokens.create, status=201, auth=False,
        params=AuthParams, params_key="auth", query=TokenQuery, view=TokenView, view_key="token",
    ),
    Route(
        "GET", "/auth/tokens", Tokens.show, policy="identity:validate_token", late_policy=True,
        query=TokenQuery, view=TokenView, view_key="token",
    ),
    Route("DELETE", "/auth/tokens", Tokens.delete, status=204, policy="identity:revoke_token", late_policy=True),
)  # fmt: skip
