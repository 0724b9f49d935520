"""`/v3/auth/{catalog,projects,domains,system}`: what the holder of a token may see and may scope to."""

from __future__ import annotations

from typing import Any

from kilonova.api.framework import Page, Query, Request, Route
from kilonova.api.identity.domains import DomainView, ListDomains, domain_view
from kilonova.api.identity.lists import list_page, listing
from kilonova.api.identity.projects import ListProjects, ProjectView, project_view
from kilonova.domain.errors import Denied
from kilonova.domain.identity import Domain, Project
from kilonova.identity.catalog import build_catalog
from kilonova.identity.service import Identity
from kilonova.store.queries import identity_roles
from kilonova.store.queries.identity_roles import Scope


class AuthScopes:
    """What the caller's own token and roles give."""

    def __init__(self, identity: Identity) -> None:
        self._identity = identity

    def catalog(self, req: Request[None, Query]) -> dict[str, Any]:
        """The catalog for the scope of the caller's token."""
        if not (req.ctx.project_id or req.ctx.domain_id or req.ctx.system_scope):
            raise Denied(
                "An unscoped token has no catalog.", next_step="Scope it to a project, a domain or the system."
            )
        with self._identity.database.read() as tx:
            found = build_catalog(tx, project_id=req.ctx.project_id, user_id=req.ctx.user_id)
        return {"catalog": found, "links": {"next": None, "previous": None, "self": req.url}}

    def projects(self, req: Request[None, ListProjects]) -> Page:
        """The projects the caller could scope to."""
        with self._identity.database.read() as tx:
            only = identity_roles.project_ids_of(tx, _user(req))
        wanted = listing(req.query, "name", "domain_id", only=only)
        return list_page(self._identity, req, Project, wanted, lambda one: project_view(req, one))

    def domains(self, req: Request[None, ListDomains]) -> Page:
        """The domains the caller could scope to."""
        with self._identity.database.read() as tx:
            only = identity_roles.domain_ids_of(tx, _user(req))
        wanted = listing(req.query, "name", only=only)
        return list_page(self._identity, req, Domain, wanted, lambda one: domain_view(req, one))

    def system(self, req: Request[None, Query]) -> dict[str, Any]:
        """Whether the caller could scope to the system."""
        with self._identity.database.read() as tx:
            roles = identity_roles.role_ids_of(tx, _user(req), Scope(system=True))
        return {"system": [{"all": True}] if roles else [], "links": {"self": req.url}}


def _user(req: Request[Any, Any]) -> str:
    return req.ctx.user_id or ""


ROUTES = (
    Route("GET", "/auth/catalog", AuthScopes.catalog),
    Route(
        "GET", "/auth/projects", AuthScopes.projects, query=ListProjects, view=ProjectView, view_key="projects",
    ),
    Route("GET", "/auth/domains", AuthScopes.domains, query=ListDomains, view=DomainView, view_key="domains"),
    Route("GET", "/auth/system", AuthScopes.system),
)  # fmt: skip
