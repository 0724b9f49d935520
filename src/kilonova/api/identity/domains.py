"""`/v3/domains`."""

from __future__ import annotations

from typing import Any

from kilonova.api.framework import UNSET, Maybe, Page, Params, Query, Request, Route, View
from kilonova.api.framework.types import Description, Flag, Name
from kilonova.api.identity.lists import NameQuery, described, list_page, listing, read_own
from kilonova.api.identity.views import LinksView, links
from kilonova.domain.identity import Domain
from kilonova.identity.domains import NewDomain, create_domain, delete_domain, update_domain
from kilonova.identity.service import Identity


class CreateDomain(Params, strict=False):
    """What makes a domain."""

    name: Name
    description: Description | None = None
    enabled: Flag = True


class UpdateDomain(Params, strict=False):
    """What may change in a domain."""

    name: Maybe[Name] = UNSET
    description: Maybe[Description | None] = UNSET
    enabled: Maybe[Flag] = UNSET


class ListDomains(NameQuery):
    """Filters of the list."""

    enabled: Maybe[Flag] = UNSET


class DomainView(View):
    """A domain on the wire."""

    id: str
    name: str
    description: str
    enabled: bool
    tags: list[str]
    options: dict[str, Any]
    links: LinksView


def domain_view(req: Request[Any, Any], domain: Domain) -> DomainView:
    """A domain as clients see it."""
    return DomainView(
        id=domain.id,
        name=domain.name,
        description=domain.description,
        enabled=domain.enabled,
        tags=[],
        options={},
        links=links(req.base_url, "domains", domain.id),
    )


class Domains:
    """The domain resource."""

    def __init__(self, identity: Identity) -> None:
        self._identity = identity

    def index(self, req: Request[None, ListDomains]) -> Page:
        """List domains."""
        wanted = listing(req.query, "name", "enabled")
        return list_page(self._identity, req, Domain, wanted, lambda one: domain_view(req, one))

    def show(self, req: Request[None, Query]) -> DomainView:
        """Show one."""
        return domain_view(req, read_own(self._identity, req, Domain, "identity:get_domain", "domain_id"))

    def create(self, req: Request[CreateDomain, Query]) -> DomainView:
        """Make one."""
        new = NewDomain(name=req.params.name, description=req.params.description or "", enabled=req.params.enabled)
        return domain_view(req, create_domain(self._identity, new))

    def update(self, req: Request[UpdateDomain, Query]) -> DomainView:
        """Change one."""
        return domain_view(req, update_domain(self._identity, req.path["domain_id"], described(req.params)))

    def delete(self, req: Request[None, Query]) -> None:
        """Delete a disabled one."""
        delete_domain(self._identity, req.path["domain_id"])


_ONE = "/domains/{domain_id}"
ROUTES = (
    Route(
        "GET", "/domains", Domains.index, policy="identity:list_domains",
        query=ListDomains, view=DomainView, view_key="domains",
    ),
    Route(
        "POST", "/domains", Domains.create, status=201, policy="identity:create_domain",
        params=CreateDomain, params_key="domain", view=DomainView, view_key="domain",
    ),
    Route("GET", _ONE, Domains.show, policy="identity:get_domain", late_policy=True, view=DomainView, view_key="domain"),
    Route(
        "PATCH", _ONE, Domains.update, policy="identity:update_domain",
        params=UpdateDomain, params_key="domain", view=DomainView, view_key="domain",
    ),
    Route("DELETE", _ONE, Domains.delete, status=204, policy="identity:delete_domain"),
)  # fmt: skip
