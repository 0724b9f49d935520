"""`/v3/regions`."""

from __future__ import annotations

from typing import Any

from kilonova.api.framework import UNSET, Maybe, Page, PageQuery, Params, Query, Request, Route, View
from kilonova.api.framework.types import Description, Text255
from kilonova.api.identity.lists import described, list_page, listing, read_one
from kilonova.api.identity.views import LinksView, links
from kilonova.domain.identity import Region
from kilonova.identity.endpoints import create_region, delete_region, update_region
from kilonova.identity.service import Identity


class RegionParams(Params, strict=False):
    """What makes a region, or changes it."""

    id: Text255 | None = None
    parent_region_id: Maybe[str | None] = UNSET
    description: Maybe[Description | None] = UNSET


class ListRegions(PageQuery):
    """Filters of the list."""

    parent_region_id: Maybe[str] = UNSET


class RegionView(View):
    """A region on the wire."""

    id: str
    parent_region_id: str | None
    description: str
    links: LinksView


def _view(req: Request[Any, Any], one: Region) -> RegionView:
    return RegionView(
        id=one.id,
        parent_region_id=one.parent_region_id,
        description=one.description,
        links=links(req.base_url, "regions", one.id),
    )


class Regions:
    """The region resource."""

    def __init__(self, identity: Identity) -> None:
        self._identity = identity

    def index(self, req: Request[None, ListRegions]) -> Page:
        """List regions."""
        wanted = listing(req.query, "parent_region_id")
        return list_page(self._identity, req, Region, wanted, lambda one: _view(req, one))

    def show(self, req: Request[None, Query]) -> RegionView:
        """Show a region."""
        return _view(req, read_one(self._identity, Region, req.path["region_id"]))

    def create(self, req: Request[RegionParams, Query]) -> RegionView:
        """Make a region, of an id of the client's choice if it has one."""
        parent = req.params.parent_region_id
        made = Region(
            id=req.params.id or self._identity.new_id(),
            parent_region_id=None if parent is UNSET else parent,
            description="" if req.params.description is UNSET else req.params.description or "",
        )
        create_region(self._identity, made)
        return _view(req, made)

    def update(self, req: Request[RegionParams, Query]) -> RegionView:
        """Change a region; its id stays."""
        changes = described(req.params)
        changes.pop("id")
        return _view(req, update_region(self._identity, req.path["region_id"], changes))

    def delete(self, req: Request[None, Query]) -> None:
        """Delete a region."""
        delete_region(self._identity, req.path["region_id"])


_ONE = "/regions/{region_id}"
ROUTES = (
    Route(
        "GET", "/regions", Regions.index, policy="identity:list_regions",
        query=ListRegions, view=RegionView, view_key="regions",
    ),
    Route(
        "POST", "/regions", Regions.create, status=201, policy="identity:create_region",
        params=RegionParams, params_key="region", view=RegionView, view_key="region",
    ),
    Route("GET", _ONE, Regions.show, policy="identity:get_region", view=RegionView, view_key="region"),
    Route(
        "PATCH", _ONE, Regions.update, policy="identity:update_region",
        params=RegionParams, params_key="region", view=RegionView, view_key="region",
    ),
    Route("DELETE", _ONE, Regions.delete, status=204, policy="identity:delete_region"),
)  # fmt: skip
