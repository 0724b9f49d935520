"""`/v3/endpoints`."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from kilonova.api.framework import UNSET, Maybe, Meta, Page, PageQuery, Params, Query, Request, Route, View, reads
from kilonova.api.framework.types import Flag, Text255, check_url
from kilonova.api.identity.lists import given, list_page, listing, read_one
from kilonova.api.identity.views import LinksView, links
from kilonova.domain.identity import Endpoint
from kilonova.identity.catalog import check_template
from kilonova.identity.endpoints import NewEndpoint, create_endpoint, delete_endpoint, update_endpoint
from kilonova.identity.service import Identity


def _check_endpoint_url(value: str) -> str:
    return check_url(check_template(value))


EndpointUrl = Annotated[str, Meta(max_length=2048), reads(_check_endpoint_url)]
Interface = Literal["public", "internal", "admin"]


class CreateEndpoint(Params, strict=False):
    """What makes an endpoint."""

    service_id: str
    interface: Interface
    url: EndpointUrl
    region_id: Text255 | None = None
    region: Text255 | None = None
    enabled: Flag = True


class UpdateEndpoint(Params, strict=False):
    """What may change in an endpoint."""

    service_id: Maybe[str] = UNSET
    interface: Maybe[Interface] = UNSET
    url: Maybe[EndpointUrl] = UNSET
    region_id: Maybe[Text255 | None] = UNSET
    enabled: Maybe[Flag] = UNSET


class ListEndpoints(PageQuery):
    """Filters of the list."""

    service_id: Maybe[str] = UNSET
    interface: Maybe[str] = UNSET
    region_id: Maybe[str] = UNSET
    enabled: Maybe[Flag] = UNSET


class EndpointView(View):
    """An endpoint on the wire."""

    id: str
    service_id: str
    interface: str
    region: str | None
    region_id: str | None
    url: str
    enabled: bool
    links: LinksView


def _view(req: Request[Any, Any], one: Endpoint) -> EndpointView:
    return EndpointView(
        id=one.id,
        service_id=one.service_id,
        interface=one.interface,
        region=one.region_id,
        region_id=one.region_id,
        url=one.url,
        enabled=one.enabled,
        links=links(req.base_url, "endpoints", one.id),
    )


class Endpoints:
    """The endpoint resource."""

    def __init__(self, identity: Identity) -> None:
        self._identity = identity

    def index(self, req: Request[None, ListEndpoints]) -> Page:
        """List endpoints."""
        wanted = listing(req.query, "service_id", "interface", "region_id", "enabled")
        return list_page(self._identity, req, Endpoint, wanted, lambda one: _view(req, one))

    def show(self, req: Request[None, Query]) -> EndpointView:
        """Show an endpoint."""
        return _view(req, read_one(self._identity, Endpoint, req.path["endpoint_id"]))

    def create(self, req: Request[CreateEndpoint, Query]) -> EndpointView:
        """Make an endpoint; a region that is named the old way (`region`) is made with it."""
        params = req.params
        new = NewEndpoint(
            service_id=params.service_id,
            interface=params.interface,
            url=params.url,
            region_id=params.region_id or params.region,
            make_region=params.region_id is None,
            enabled=params.enabled,
        )
        return _view(req, create_endpoint(self._identity, new))

    def update(self, req: Request[UpdateEndpoint, Query]) -> EndpointView:
        """Change an endpoint."""
        changed = update_endpoint(self._identity, req.path["endpoint_id"], given(req.params))
        return _view(req, changed)

    def delete(self, req: Request[None, Query]) -> None:
        """Delete an endpoint."""
        delete_endpoint(self._identity, req.path["endpoint_id"])


_ONE = "/endpoints/{endpoint_id}"
ROUTES = (
    Route(
        "GET", "/endpoints", Endpoints.index, policy="identity:list_endpoints",
        query=ListEndpoints, view=EndpointView, view_key="endpoints",
    ),
    Route(
        "POST", "/endpoints", Endpoints.create, status=201, policy="identity:create_endpoint",
        params=CreateEndpoint, params_key="endpoint", view=EndpointView, view_key="endpoint",
    ),
    Route("GET", _ONE, Endpoints.show, policy="identity:get_endpoint", view=EndpointView, view_key="endpoint"),
    Route(
        "PATCH", _ONE, Endpoints.update, policy="identity:update_endpoint",
        params=UpdateEndpoint, params_key="endpoint", view=EndpointView, view_key="endpoint",
    ),
    Route("DELETE", _ONE, Endpoints.delete, status=204, policy="identity:delete_endpoint"),
)  # fmt: skip
