"""`/v3/services`."""

from __future__ import annotations

from typing import Annotated, Any

from kilonova.api.framework import UNSET, Maybe, Meta, Page, PageQuery, Params, Query, Request, Route, View
from kilonova.api.framework.types import Description, Flag, Text255
from kilonova.api.identity.lists import described, list_page, listing, read_one
from kilonova.api.identity.views import LinksView, links
from kilonova.domain.identity import Service
from kilonova.identity.endpoints import NewService, create_service, delete_service, update_service
from kilonova.identity.service import Identity

Type = Annotated[str, Meta(min_length=1, max_length=255)]


class CreateService(Params, strict=False):
    """What makes a service."""

    type: Type
    name: Text255 | None = None
    description: Description | None = None
    enabled: Flag = True


class UpdateService(Params, strict=False):
    """What may change in a service."""

    type: Maybe[Type] = UNSET
    name: Maybe[Text255] = UNSET
    description: Maybe[Description | None] = UNSET
    enabled: Maybe[Flag] = UNSET


class ListServices(PageQuery):
    """Filters of the list."""

    name: Maybe[str] = UNSET
    type: Maybe[str] = UNSET


class ServiceView(View):
    """A service on the wire."""

    id: str
    type: str
    name: str
    description: str
    enabled: bool
    links: LinksView


def _view(req: Request[Any, Any], one: Service) -> ServiceView:
    return ServiceView(
        id=one.id,
        type=one.type,
        name=one.name,
        description=one.description,
        enabled=one.enabled,
        links=links(req.base_url, "services", one.id),
    )


class Services:
    """The service resource."""

    def __init__(self, identity: Identity) -> None:
        self._identity = identity

    def index(self, req: Request[None, ListServices]) -> Page:
        """List services."""
        wanted = listing(req.query, "name", "type")
        return list_page(self._identity, req, Service, wanted, lambda one: _view(req, one))

    def show(self, req: Request[None, Query]) -> ServiceView:
        """Show a service."""
        return _view(req, read_one(self._identity, Service, req.path["service_id"]))

    def create(self, req: Request[CreateService, Query]) -> ServiceView:
        """Make a service."""
        params = req.params
        new = NewService(
            type=params.type, name=params.name or "", description=params.description or "", enabled=params.enabled
        )
        return _view(req, create_service(self._identity, new))

    def update(self, req: Request[UpdateService, Query]) -> ServiceView:
        """Change a service."""
        changed = update_service(self._identity, req.path["service_id"], described(req.params))
        return _view(req, changed)

    def delete(self, req: Request[None, Query]) -> None:
        """Delete a service."""
        delete_service(self._identity, req.path["service_id"])


_ONE = "/services/{service_id}"
ROUTES = (
    Route(
        "GET", "/services", Services.index, policy="identity:list_services",
        query=ListServices, view=ServiceView, view_key="services",
    ),
    Route(
        "POST", "/services", Services.create, status=201, policy="identity:create_service",
        params=CreateService, params_key="service", view=ServiceView, view_key="service",
    ),
    Route("GET", _ONE, Services.show, policy="identity:get_service", view=ServiceView, view_key="service"),
    Route(
        "PATCH", _ONE, Services.update, policy="identity:update_service",
        params=UpdateService, params_key="service", view=ServiceView, view_key="service",
    ),
    Route("DELETE", _ONE, Services.delete, status=204, policy="identity:delete_service"),
)  # fmt: skip
