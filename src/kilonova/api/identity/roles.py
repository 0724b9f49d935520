"""`/v3/roles`, what they imply (for reading), `/v3/role_inferences`."""

from __future__ import annotations

from typing import Any

from kilonova.api.framework import UNSET, Maybe, Page, Params, Query, Request, Route, View
from kilonova.api.framework.types import Description, Name
from kilonova.api.identity.lists import NameQuery, given, list_page, listing, read_one
from kilonova.api.identity.views import LinksView, links
from kilonova.domain.errors import Missing, Rejected
from kilonova.domain.identity import IMPLIES, Role
from kilonova.identity.roles import create_role, delete_role, is_built_in, update_role
from kilonova.identity.service import Identity
from kilonova.store.database import Tx
from kilonova.store.queries import identity as nouns


class CreateRole(Params, strict=False):
    """What makes a role."""

    name: Name
    domain_id: str | None = None
    description: Description | None = None


class UpdateRole(Params, strict=False):
    """What may change in a role."""

    name: Maybe[Name] = UNSET
    description: Maybe[Description | None] = UNSET


class ListRoles(NameQuery):
    """Filters of the list."""

    domain_id: Maybe[str] = UNSET


class RoleView(View):
    """A role on the wire."""

    id: str
    name: str
    domain_id: str | None
    description: str | None
    options: dict[str, Any]
    links: LinksView


class ShortRoleView(View):
    """A role within an inference."""

    id: str
    name: str
    description: str | None
    links: LinksView


class InferenceView(View):
    """A role and what it implies."""

    prior_role: ShortRoleView
    implies: list[ShortRoleView]


def role_view(req: Request[Any, Any], role: Role) -> RoleView:
    """A role as clients see it; built-in ones are immutable."""
    return RoleView(
        id=role.id,
        name=role.name,
        domain_id=role.domain_id,
        description=role.description,
        options={"immutable": True} if is_built_in(role) else {},
        links=links(req.base_url, "roles", role.id),
    )


def _short(req: Request[Any, Any], role: Role) -> ShortRoleView:
    return ShortRoleView(
        id=role.id, name=role.name, description=role.description, links=links(req.base_url, "roles", role.id)
    )


class Roles:
    """The role resource."""

    def __init__(self, identity: Identity) -> None:
        self._identity = identity

    def index(self, req: Request[None, ListRoles]) -> Page:
        """List roles."""
        wanted = listing(req.query, "name", "domain_id")
        return list_page(self._identity, req, Role, wanted, lambda one: role_view(req, one))

    def show(self, req: Request[None, Query]) -> RoleView:
        """Show one."""
        return role_view(req, read_one(self._identity, Role, req.path["role_id"]))

    def create(self, req: Request[CreateRole, Query]) -> RoleView:
        """Make one for the whole cloud."""
        if req.params.domain_id is not None:
            raise Rejected("Roles of a single domain are not served: leave role.domain_id out.")
        return role_view(req, create_role(self._identity, req.params.name, req.params.description))

    def update(self, req: Request[UpdateRole, Query]) -> RoleView:
        """Change one that is not built in."""
        return role_view(req, update_role(self._identity, req.path["role_id"], given(req.params)))

    def delete(self, req: Request[None, Query]) -> None:
        """Delete one that is not built in."""
        delete_role(self._identity, req.path["role_id"])

    def inferences(self, req: Request[None, Query]) -> dict[str, Any]:
        """Which roles bring which others with them."""
        with self._identity.database.read() as tx:
            pairs = [(nouns.named(tx, Role, prior), nouns.named(tx, Role, next_)) for prior, next_ in IMPLIES.items()]
        found = [InferenceView(prior_role=_short(req, a), implies=[_short(req, b)]) for a, b in pairs if a and b]
        return {"role_inferences": found, "links": {"self": req.url}}

    def implies(self, req: Request[None, Query]) -> dict[str, Any]:
        """What one role brings with it."""
        with self._identity.database.read() as tx:
            prior = nouns.get(tx, Role, req.path["prior_role_id"])
            implied = _implied(tx, prior)
        view = InferenceView(prior_role=_short(req, prior), implies=[_short(req, role) for role in implied])
        return {"role_inference": view, "links": {"self": req.url}}

    def implied(self, req: Request[None, Query]) -> dict[str, Any]:
        """One role and one that it implies; 404 where it does not."""
        with self._identity.database.read() as tx:
            prior = nouns.get(tx, Role, req.path["prior_role_id"])
            wanted = nouns.get(tx, Role, req.path["implied_role_id"])
            if wanted not in _implied(tx, prior):
                raise Missing("Implied role", f"{wanted.id} of role {prior.id}")
        view = {"prior_role": _short(req, prior), "implies": _short(req, wanted)}
        return {"role_inference": view, "links": {"self": req.url}}


def _implied(tx: Tx, prior: Role) -> list[Role]:
    name = IMPLIES.get(prior.name)
    found = nouns.named(tx, Role, name) if name else None
    return [found] if found else []


_ONE, _IMPLIES = "/roles/{role_id}", "/roles/{prior_role_id}/implies"
ROUTES = (
    Route("GET", "/roles", Roles.index, policy="identity:list_roles", query=ListRoles, view=RoleView, view_key="roles"),
    Route(
        "POST", "/roles", Roles.create, status=201, policy="identity:create_role",
        params=CreateRole, params_key="role", view=RoleView, view_key="role",
    ),
    Route("GET", _ONE, Roles.show, policy="identity:get_role", view=RoleView, view_key="role"),
    Route(
        "PATCH", _ONE, Roles.update, policy="identity:update_role",
        params=UpdateRole, params_key="role", view=RoleView, view_key="role",
    ),
    Route("DELETE", _ONE, Roles.delete, status=204, policy="identity:delete_role"),
    Route("GET", "/role_inferences", Roles.inferences, policy="identity:list_role_inference_rules"),
    Route("GET", _IMPLIES, Roles.implies, policy="identity:list_implied_roles"),
    Route("GET", f"{_IMPLIES}/{{implied_role_id}}", Roles.implied, policy="identity:get_implied_role"),
)  # fmt: skip
