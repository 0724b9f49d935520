"""`/v3/auth/tokens`: log in, look at a token, revoke one."""

from __future__ import annotations

from typing import Any

from kilonova.api.framework import UNSET, Maybe, Query, Reply, Request, Route, View
from kilonova.api.identity.login_params import AuthParams, login_request
from kilonova.api.identity.views import InDomainView, NamedView, named, token_time
from kilonova.domain.errors import Missing, Rejected
from kilonova.identity.authenticator import Verified
from kilonova.identity.catalog import CatalogEntry, build_catalog
from kilonova.identity.login import log_in, read_subject
from kilonova.identity.revoke import revoke_token
from kilonova.identity.service import Identity

SUBJECT = "x-subject-token"


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
        issued = log_in(self._identity, login_request(req.params, req.client, req.ticket))
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
        verified = read_subject(self._identity, token)
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


ROUTES = (
    Route(
        "POST", "/auth/tokens", Tokens.create, status=201, auth=False, lane="logins",
        params=AuthParams, params_key="auth", query=TokenQuery, view=TokenView, view_key="token",
    ),
    Route(
        "GET", "/auth/tokens", Tokens.show, policy="identity:validate_token", late_policy=True,
        query=TokenQuery, view=TokenView, view_key="token",
    ),
    Route("DELETE", "/auth/tokens", Tokens.delete, status=204, policy="identity:revoke_token", late_policy=True),
)  # fmt: skip
