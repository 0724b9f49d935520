"""A server's metadata, all of it or one item."""

from __future__ import annotations

from typing import Annotated, Any

from kilonova.api.compute.common import scope
from kilonova.api.framework import Meta, Query, Request, Route
from kilonova.api.framework.types import Metadata
from kilonova.compute.metadata import EditMetadata
from kilonova.domain.errors import Missing, Rejected
from kilonova.runtime import Runtime
from kilonova.store.queries import servers

_RULE = "os_compute_api:server-metadata"
OneItem = Annotated[Metadata, Meta(min_length=1, max_length=1)]


class ServerMetadata:
    """The resource, with the use cases behind it."""

    def __init__(self, runtime: Runtime, *, edit: EditMetadata) -> None:
        self._database, self._edit = runtime.db, edit

    def index(self, req: Request[None, Query]) -> dict[str, str]:
        """All of it."""
        return self._items(req, "index")

    def show(self, req: Request[None, Query]) -> dict[str, str]:
        """One item."""
        items, key = self._items(req, "show"), req.path["key"]
        if key not in items:
            raise Missing("Metadata item", key[:255])
        return {key: items[key]}

    def merge(self, req: Request[dict[str, str], Query]) -> dict[str, str]:
        """Add items, or replace those of the same keys."""
        return self._edit.merge(scope(req, f"{_RULE}:create"), req.path["server_id"], req.params)

    def replace(self, req: Request[dict[str, str], Query]) -> dict[str, str]:
        """Put these in place of all."""
        return self._edit.replace(scope(req, f"{_RULE}:update_all"), req.path["server_id"], req.params)

    def set_one(self, req: Request[dict[str, str], Query]) -> dict[str, str]:
        """Set the item that the path names."""
        if req.path["key"] not in req.params:
            raise Rejected("Request body and URI mismatch")
        self._edit.merge(scope(req, f"{_RULE}:update"), req.path["server_id"], req.params)
        return req.params

    def drop(self, req: Request[None, Query]) -> None:
        """Take one away."""
        self._edit.drop(scope(req, f"{_RULE}:delete"), req.path["server_id"], req.path["key"])

    def _items(self, req: Request[Any, Any], verb: str) -> dict[str, str]:
        with self._database.read() as tx:
            return servers.get(tx, scope(req, f"{_RULE}:{verb}"), req.path["server_id"]).metadata


_ALL, _ONE = "/servers/{server_id}/metadata", "/servers/{server_id}/metadata/{key}"

ROUTES = (
    Route("GET", _ALL, ServerMetadata.index, policy=f"{_RULE}:index", view_key="metadata", summary="List metadata"),
    Route("POST", _ALL, ServerMetadata.merge, policy=f"{_RULE}:create", params=Metadata, params_key="metadata",
          view_key="metadata", summary="Add metadata"),
    Route("PUT", _ALL, ServerMetadata.replace, policy=f"{_RULE}:update_all", params=Metadata, params_key="metadata",
          view_key="metadata", summary="Replace metadata"),
    Route("GET", _ONE, ServerMetadata.show, policy=f"{_RULE}:show", view_key="meta", summary="Show a metadata item"),
    Route("PUT", _ONE, ServerMetadata.set_one, policy=f"{_RULE}:update", params=OneItem, params_key="meta",
          view_key="meta", summary="Set a metadata item"),
    Route("DELETE", _ONE, ServerMetadata.drop, status=204, policy=f"{_RULE}:delete", summary="Delete a metadata item"),
)  # fmt: skip
