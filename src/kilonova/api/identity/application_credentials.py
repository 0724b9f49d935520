"""`/v3/users/{user_id}/application_credentials`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

import msgspec

from kilonova.api.framework import UNSET, Maybe, Meta, Page, PageQuery, Params, Query, Request, Route, View
from kilonova.api.framework.types import Description, Flag, Name, Timestamp, iso_us
from kilonova.api.identity.lists import list_page, listing, read_own
from kilonova.api.identity.views import LinksView, links
from kilonova.domain.errors import InvalidField, Missing
from kilonova.domain.identity import ApplicationCredential, Role, User
from kilonova.identity.application_credentials import NewCredential, RoleRef, create_credential, delete_credential
from kilonova.identity.authenticator import Verified
from kilonova.identity.passwords import MAX_LENGTH
from kilonova.identity.service import Identity
from kilonova.store.queries import identity as nouns


class RoleParams(Params, strict=False):
    """A role by id or by name."""

    id: str | None = None
    name: str | None = None


class CreateCredential(Params, strict=False):
    """What makes an application credential."""

    name: Name
    description: Description | None = None
    secret: Annotated[str, Meta(min_length=1, max_length=MAX_LENGTH)] | None = None
    roles: Annotated[list[RoleParams], Meta(max_length=64)] | None = None
    unrestricted: Flag | None = None
    expires_at: Timestamp | None = None
    access_rules: list[dict[str, Any]] | None = None


class ListCredentials(PageQuery):
    """Filters of the list."""

    name: Maybe[str] = UNSET


class RoleRefView(View):
    """A role of a credential."""

    id: str
    name: str
    domain_id: str | None


class CredentialView(View):
    """An application credential on the wire."""

    id: str
    name: str
    description: str | None
    user_id: str
    project_id: str
    system: str | None
    roles: list[RoleRefView]
    unrestricted: bool
    expires_at: str | None
    links: LinksView
    secret: Maybe[str] = UNSET


class ApplicationCredentials:
    """The application credential resource."""

    def __init__(self, identity: Identity) -> None:
        self._identity = identity

    def index(self, req: Request[None, ListCredentials]) -> Page:
        """List a user's credentials."""
        user = read_own(self._identity, req, User, "identity:list_application_credentials", "user_id")
        mine = msgspec.structs.replace(listing(req.query, "name"), within={"user_id": user.id})
        with self._identity.database.read() as tx:
            roles = {role.id: role for role in nouns.listed(tx, Role, nouns.Listing())}
        return list_page(self._identity, req, ApplicationCredential, mine, lambda one: _view(req, one, roles))

    def show(self, req: Request[None, Query]) -> CredentialView:
        """Show one."""
        user = read_own(self._identity, req, User, "identity:get_application_credential", "user_id")
        with self._identity.database.read() as tx:
            found = nouns.get(tx, ApplicationCredential, req.path["application_credential_id"])
            if found.user_id != user.id:
                raise Missing("Application credential", found.id)
            return _view(req, found, nouns.many(tx, Role, found.role_ids))

    def create(self, req: Request[CreateCredential, Query]) -> CredentialView:
        """Make one for the project of the caller's token; the answer is the only one that holds the secret."""
        req.authorize("identity:create_application_credential", {"user_id": req.path["user_id"]})
        params = req.params
        if params.access_rules:
            raise InvalidField("application_credential.access_rules", "access rules are not served; narrow it by roles")
        new = NewCredential(
            name=params.name,
            description=params.description,
            secret=params.secret,
            roles=tuple(RoleRef(id=one.id, name=one.name) for one in params.roles or ()),
            unrestricted=bool(params.unrestricted),
            expires_at=params.expires_at,
        )
        asking = self._asking(req)
        made, secret = create_credential(self._identity, asking, new)
        return _view(req, made, {role.id: role for role in asking.roles}, secret)

    def delete(self, req: Request[None, Query]) -> None:
        """Delete one."""
        user = read_own(self._identity, req, User, "identity:delete_application_credential", "user_id")
        delete_credential(self._identity, self._asking(req), user.id, req.path["application_credential_id"])

    def _asking(self, req: Request[Any, Any]) -> Verified:
        return self._identity.authenticator.verify(req.headers.get("x-auth-token", ""))


def _view(
    req: Request[Any, Any], one: ApplicationCredential, roles: Mapping[str, Role], secret: Maybe[str] = UNSET
) -> CredentialView:
    return CredentialView(
        id=one.id,
        name=one.name,
        description=one.description,
        user_id=one.user_id,
        project_id=one.project_id,
        system=None,
        roles=[
            RoleRefView(id=ident, name=roles[ident].name, domain_id=None) for ident in one.role_ids if ident in roles
        ],
        unrestricted=one.unrestricted,
        expires_at=iso_us(one.expires_at),
        links=links(req.base_url, "users", one.user_id, "application_credentials", one.id),
        secret=secret,
    )


_ALL = "/users/{user_id}/application_credentials"
_ONE = f"{_ALL}/{{application_credential_id}}"
ROUTES = (
    Route(
        "GET", _ALL, ApplicationCredentials.index, policy="identity:list_application_credentials", late_policy=True,
        query=ListCredentials, view=CredentialView, view_key="application_credentials",
    ),
    Route(
        "POST", _ALL, ApplicationCredentials.create, status=201, policy="identity:create_application_credential",
        late_policy=True, params=CreateCredential, params_key="application_credential",
        view=CredentialView, view_key="application_credential", lane="hashing",
    ),
    Route(
        "GET", _ONE, ApplicationCredentials.show, policy="identity:get_application_credential", late_policy=True,
        view=CredentialView, view_key="application_credential",
    ),
    Route(
        "DELETE", _ONE, ApplicationCredentials.delete, status=204,
        policy="identity:delete_application_credential", late_policy=True,
    ),
)  # fmt: skip
