"""A server's tags (2.26)."""

from __future__ import annotations

from typing import Annotated, Any

from kilonova.api.compute.common import scope
from kilonova.api.compute.servers.params import Tag, check_tag
from kilonova.api.framework import Meta, Query, Reply, Request, Route, since
from kilonova.compute.tags import MAX_TAGS, EditTags
from kilonova.domain.errors import Missing, Rejected
from kilonova.domain.server import Server
from kilonova.runtime import Runtime
from kilonova.store.queries import servers

_RULE = "os_compute_api:os-server-tags"
Tags = Annotated[list[Tag], Meta(max_length=MAX_TAGS)]


class ServerTags:
    """The resource, with the use cases behind it."""

    def __init__(self, runtime: Runtime, *, edit: EditTags) -> None:
        self._database, self._edit = runtime.db, edit

    def index(self, req: Request[None, Query]) -> list[str]:
        """All of them."""
        return list(self._server(req, "index").tags)

    def show(self, req: Request[None, Query]) -> None:
        """Whether it has one: 204 or 404."""
        if req.path["tag"] not in self._server(req, "show").tags:
            raise Missing(f"Tag of server {req.path['server_id'][:255]}", req.path["tag"][:60])

    def replace(self, req: Request[list[str], Query]) -> list[str]:
        """Put these in place of all."""
        return list(self._edit.replace(scope(req, f"{_RULE}:update_all"), req.path["server_id"], req.params))

    def add(self, req: Request[None, Query]) -> Reply:
        """Add one: 201 when it is new, 204 when it was there."""
        try:
            tag = check_tag(req.path["tag"])
        except ValueError as problem:
            raise Rejected(f"Invalid input for tag: {problem}") from None
        is_new = self._edit.add(scope(req, f"{_RULE}:update"), req.path["server_id"], tag)
        return Reply(status=201, headers={"Location": req.url}) if is_new else Reply(status=204)

    def clear(self, req: Request[None, Query]) -> None:
        """Take all away."""
        self._edit.replace(scope(req, f"{_RULE}:delete_all"), req.path["server_id"], ())

    def drop(self, req: Request[None, Query]) -> None:
        """Take one away."""
        self._edit.drop(scope(req, f"{_RULE}:delete"), req.path["server_id"], req.path["tag"])

    def _server(self, req: Request[Any, Any], verb: str) -> Server:
        with self._database.read() as tx:
            return servers.get(tx, scope(req, f"{_RULE}:{verb}"), req.path["server_id"])


_ALL, _ONE = "/servers/{server_id}/tags", "/servers/{server_id}/tags/{tag}"
_EVER = since("2.26")

ROUTES = (
    Route("GET", _ALL, ServerTags.index, versions=_EVER, policy=f"{_RULE}:index", view_key="tags", summary="List tags"),
    Route("PUT", _ALL, ServerTags.replace, versions=_EVER, policy=f"{_RULE}:update_all", params=Tags, params_key="tags",
          view_key="tags", summary="Replace tags"),
    Route("DELETE", _ALL, ServerTags.clear, versions=_EVER, status=204, policy=f"{_RULE}:delete_all", summary="Delete all tags"),
    Route("GET", _ONE, ServerTags.show, versions=_EVER, status=204, policy=f"{_RULE}:show", summary="Check a tag"),
    Route("PUT", _ONE, ServerTags.add, versions=_EVER, status=201, policy=f"{_RULE}:update", summary="Add a tag"),
    Route("DELETE", _ONE, ServerTags.drop, versions=_EVER, status=204, policy=f"{_RULE}:delete", summary="Delete a tag"),
)  # fmt: skip
