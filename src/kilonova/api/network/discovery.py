"""What clients ask first: the versions, the resources, and which extensions there are. Only what works is listed."""

from __future__ import annotations

from typing import Any

from kilonova.api.framework import Page, Request, Route, View
from kilonova.api.network.extensions import EXTENSIONS
from kilonova.domain.errors import Missing

COLLECTIONS = ("network", "subnet", "port", "security-group", "security-group-rule", "quota", "extension")


class LinkView(View):
    """A link."""

    rel: str
    href: str


class VersionView(View):
    """A version of the API."""

    id: str
    status: str
    links: list[LinkView]


class ResourceView(View):
    """A collection of the API."""

    name: str
    collection: str
    links: list[LinkView]


class ExtensionView(View):
    """An extension."""

    alias: str
    name: str
    description: str
    updated: str
    links: list[LinkView]


class Discovery:
    """The handlers."""

    def versions(self, req: Request[None, Any]) -> Page:
        """There is one."""
        link = LinkView(rel="self", href=f"{req.root_url}/v2.0/")
        return Page([VersionView(id="v2.0", status="CURRENT", links=[link])])

    def resources(self, req: Request[None, Any]) -> Page:
        """The collections."""
        return Page([_resource(name, req.base_url) for name in COLLECTIONS])

    def extensions(self, _: Request[None, Any]) -> Page:
        """Every extension that works here."""
        return Page([_extension(alias) for alias in EXTENSIONS])

    def extension(self, req: Request[None, Any]) -> ExtensionView:
        """One extension."""
        if req.path["alias"] not in EXTENSIONS:
            raise Missing("Extension", req.path["alias"])
        return _extension(req.path["alias"])


def _resource(name: str, base_url: str) -> ResourceView:
    plural = f"{name}s"
    return ResourceView(
        name=name.replace("-", "_"),
        collection=plural.replace("-", "_"),
        links=[LinkView(rel="self", href=f"{base_url}/{plural}")],
    )


def _extension(alias: str) -> ExtensionView:
    name, description, updated = EXTENSIONS[alias]
    return ExtensionView(alias=alias, name=name, description=description, updated=updated, links=[])


R = Discovery
ROOT_ROUTES = (Route("GET", "/", R.versions, auth=False, view=VersionView, view_key="versions"),)
ROUTES = (
    Route("GET", "/", R.resources, auth=False, view=ResourceView, view_key="resources"),
    Route("GET", "/extensions", R.extensions, policy="get_extension", view=ExtensionView, view_key="extensions"),
    Route("GET", "/extensions/{alias}", R.extension, policy="get_extension", view=ExtensionView, view_key="extension"),
)
