"""Roles on projects, domains and the system: `/v3/{scope}/{users|groups}/{id}/roles/{role_id}`, twelve ways of one shape."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from kilonova.api.framework import Page, Query, Request, Route
from kilonova.api.identity.lists import linked
from kilonova.api.identity.roles import RoleView, role_view
from kilonova.domain.errors import Missing
from kilonova.domain.identity import Assignment, Role
from kilonova.identity.roles import check_parts, give_role, take_role
from kilonova.identity.service import Identity
from kilonova.store.queries import identity as nouns
from kilonova.store.queries import identity_roles
from kilonova.store.queries.identity_roles import Scope, Sought


class Grants:
    """Assignments, one at a time."""

    def __init__(self, identity: Identity) -> None:
        self._identity = identity

    def index(self, req: Request[None, Query]) -> Page:
        """The roles a user or a group was given there."""
        sought = Sought(user_id=req.path.get("user_id"), group_id=req.path.get("group_id"), scope=_scope(req.path))
        with self._identity.database.read() as tx:
            check_parts(tx, _assignment(req.path))
            made = identity_roles.listed(tx, sought)
            roles = nouns.many(tx, Role, (one.role_id for one in made))
        return linked(req, [role_view(req, roles[one.role_id]) for one in made])

    def check(self, req: Request[None, Query]) -> None:
        """Whether this very role was given; 404 where it was not."""
        one = _assignment(req.path)
        with self._identity.database.read() as tx:
            check_parts(tx, one)
            if not identity_roles.is_assigned(tx, one):
                raise Missing("Role assignment with role", one.role_id)

    def create(self, req: Request[None, Query]) -> None:
        """Give a role."""
        give_role(self._identity, _assignment(req.path))

    def delete(self, req: Request[None, Query]) -> None:
        """Take it away."""
        take_role(self._identity, _assignment(req.path))


def _assignment(path: Mapping[str, str]) -> Assignment:
    return Assignment(
        role_id=path.get("role_id"),  # type: ignore[arg-type]  # None in a list: no role is meant
        user_id=path.get("user_id"),
        group_id=path.get("group_id"),
        project_id=path.get("project_id"),
        domain_id=path.get("domain_id"),
    )


def _scope(path: Mapping[str, str]) -> Scope:
    project_id, domain_id = path.get("project_id"), path.get("domain_id")
    return Scope(project_id=project_id, domain_id=domain_id, system=project_id is None and domain_id is None)


def _routes() -> Iterator[Route]:
    for scope in ("/projects/{project_id}", "/domains/{domain_id}", "/system"):
        for actor in ("user", "group"):
            below = f"{scope}/{actor}s/{{{actor}_id}}/roles"
            yield from _routes_of(below, _policies(actor, on_system=scope == "/system"))


def _policies(actor: str, *, on_system: bool) -> dict[str, str]:
    verbs = {"list": "list_grants", "check": "check_grant", "create": "create_grant", "revoke": "revoke_grant"}
    if on_system:
        verbs = {verb: name.replace("_grant", "_system_grant") + f"_for_{actor}" for verb, name in verbs.items()}
    return {verb: f"identity:{name}" for verb, name in verbs.items()}


def _routes_of(below: str, policy: Mapping[str, Any]) -> Iterator[Route]:
    one = f"{below}/{{role_id}}"
    yield Route("GET", below, Grants.index, policy=policy["list"], view=RoleView, view_key="roles")
    yield Route("PUT", one, Grants.create, status=204, policy=policy["create"])
    yield Route("GET", one, Grants.check, status=204, policy=policy["check"])
    yield Route("DELETE", one, Grants.delete, status=204, policy=policy["revoke"])


ROUTES = tuple(_routes())
