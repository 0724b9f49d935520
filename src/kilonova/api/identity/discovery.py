"""Which versions of Identity there are: one. `/identity` lists it (300, as Keystone does), `/identity/v3` describes it."""

from __future__ import annotations

from typing import Any

from kilonova.api.framework import Query, Request, Route

_ID, _UPDATED = "v3.14", "2020-04-07T00:00:00Z"


def _version(root_url: str) -> dict[str, Any]:
    return {
        "id": _ID,
        "status": "stable",
        "updated": _UPDATED,
        "links": [{"rel": "self", "href": f"{root_url}/v3/"}],
        "media-types": [{"base": "application/json", "type": "application/vnd.openstack.identity-v3+json"}],
    }


def index(req: Request[None, Query]) -> dict[str, Any]:
    """All versions."""
    return {"versions": {"values": [_version(req.root_url)]}}


def show(req: Request[None, Query]) -> dict[str, Any]:
    """Version 3."""
    return {"version": _version(req.root_url)}


ROOT_ROUTES = (Route("GET", "/", index, status=300, auth=False),)
ROUTES = (Route("GET", "/", show, auth=False),)
