"""Version discovery: what clients read before they have a token."""

from __future__ import annotations

from typing import Annotated, Any

from msgspec import UNSET

from kilonova.api.compute.common import Link
from kilonova.api.framework import Maybe, Page, Query, Request, Route, View, wire
from kilonova.domain.errors import Missing

FIRST, LAST = "2.1", "2.104"
_DOCS = "https://docs.openstack.org/"


class MediaType(View):
    """A content type the API speaks."""

    base: str
    type: str


class VersionView(View):
    """One version of the API; only the current one has microversions."""

    id: str
    status: str
    links: list[Link]
    min_version: str
    version: str
    updated: str
    media_types: Annotated[Maybe[list[MediaType]], wire("media-types")] = UNSET


class Versions:
    """The documents at the root, and at each version's own URL."""

    def index(self, req: Request[None, Query]) -> Page:
        """Every version: at the root."""
        return Page([_legacy(req.root_url), _current(req.root_url)])

    def current(self, req: Request[None, Query]) -> VersionView:
        """The current version, in full."""
        return _in_full(_current(req.root_url), "2.1")

    def legacy(self, req: Request[None, Query]) -> VersionView:
        """The old one, in full. Nothing else lives below it: its clients are sent to the current one."""
        return _in_full(_legacy(req.root_url), "2")

    def named(self, req: Request[None, Query]) -> VersionView:
        """A version by its id."""
        known = {"v2.1": self.current, "v2.0": self.legacy}
        found = known.get(req.path["version_id"])
        if found is None:
            raise Missing("Version", req.path["version_id"][:255])
        return found(req)


def _link(root: str, version: str) -> Link:
    return Link(rel="self", href=f"{root}/{version}/")


def _current(root: str) -> VersionView:
    return VersionView(
        id="v2.1", status="CURRENT", links=[_link(root, "v2.1")], version=LAST, min_version=FIRST,
        updated="2013-07-23T11:33:21Z",
    )  # fmt: skip


def _legacy(root: str) -> VersionView:
    return VersionView(
        id="v2.0", status="DEPRECATED", links=[_link(root, "v2")], version="", min_version="",
        updated="2025-07-04T12:00:00Z",
    )  # fmt: skip


def _in_full(view: VersionView, number: str) -> VersionView:
    view.links.append(Link(rel="describedby", type="text/html", href=_DOCS))
    kind = f"application/vnd.openstack.compute+json;version={number}"
    view.media_types = [MediaType(base="application/json", type=kind)]
    return view


def _open(method: str, path: str, handler: Any, **more: Any) -> Route:
    return Route(method, path, handler, auth=False, view=VersionView, summary="Discover versions", **more)


ROOT_ROUTES = (
    _open("GET", "/", Versions.index, view_key="versions"),
    _open("GET", "/v2", Versions.legacy, view_key="version"),
)
ROUTES = (
    _open("GET", "/", Versions.current, view_key="version"),
    _open("GET", "/versions/{version_id}", Versions.named, view_key="version"),
)
