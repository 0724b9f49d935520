"""
The extensions that the v2 API once had, those of them that are here: all are a part of the API now.

Old clients still ask for the list, to learn what they may use; so an alias goes in with what it stands for, and not before.
"""

from __future__ import annotations

from functools import lru_cache
from importlib import resources

from kilonova.api.framework import Query, Request, Route, View
from kilonova.domain.errors import Missing

_NAMESPACE = "http://docs.openstack.org/compute/ext/fake_xml"
_UPDATED = "2014-12-03T00:00:00Z"


class ExtensionView(View):
    """An extension."""

    alias: str
    name: str
    description: str
    links: list[str]
    namespace: str = _NAMESPACE
    updated: str = _UPDATED


@lru_cache(maxsize=1)
def _known() -> dict[str, ExtensionView]:
    """The extensions by alias, from `extensions.txt`: alias and name on a line each."""
    text = resources.files("kilonova.api.compute").joinpath("extensions.txt").read_text(encoding="utf-8")
    rows = [line.split() for line in text.splitlines()]
    return {
        alias: ExtensionView(alias=alias, name=name, links=[], description=f"{name}, a part of the API.")
        for alias, name in rows
    }


def index(_: Request[None, Query]) -> list[ExtensionView]:
    """Every extension."""
    return list(_known().values())


def show(req: Request[None, Query]) -> ExtensionView:
    """One of them."""
    found = _known().get(req.path["alias"])
    if found is None:
        raise Missing("Extension", req.path["alias"][:255])
    return found


_RULE = "os_compute_api:extensions"

ROUTES = (
    Route(
        "GET", "/extensions", index, policy=_RULE, view=ExtensionView, view_key="extensions", summary="List extensions"
    ),
    Route(
        "GET",
        "/extensions/{alias}",
        show,
        policy=_RULE,
        view=ExtensionView,
        view_key="extension",
        summary="Show an extension",
    ),
)
