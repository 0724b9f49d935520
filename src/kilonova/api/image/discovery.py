"""Which versions of Image there are: `/image` lists them (300, as Glance does), `/image/versions` too (200)."""

from __future__ import annotations

from typing import Any

from kilonova.api.framework import Query, Request, Route

_VERSIONS = ("v2.7", "v2.6", "v2.5", "v2.4", "v2.3", "v2.2", "v2.1", "v2.0")


def index(req: Request[None, Query]) -> dict[str, Any]:
    """All versions, newest first: each adds to the one before, under one address."""
    links = [{"rel": "self", "href": f"{req.root_url}/v2/"}]
    return {
        "versions": [
            {"id": version, "status": "SUPPORTED" if i else "CURRENT", "links": links}
            for i, version in enumerate(_VERSIONS)
        ]
    }


ROOT_ROUTES = (
    Route("GET", "/", index, status=300, auth=False),
    Route("GET", "/versions", index, auth=False),
)
ROUTES = (Route("GET", "/", index, status=300, auth=False),)
