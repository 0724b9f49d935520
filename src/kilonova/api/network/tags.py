"""Tags, as a resource below each thing that has them."""

from __future__ import annotations

from typing import Any

from kilonova.api.framework import Params, Request, Route, View
from kilonova.api.network.common import scope
from kilonova.network.tags import KINDS, Tags


class TagsParams(Params):
    """Several tags."""

    tags: list[str]


class TagsView(View):
    """The tags of a thing."""

    tags: list[str]


class TagResource:
    """The handlers for one kind of thing: a key of `network.tags.KINDS`."""

    def __init__(self, kind: str, use: Tags) -> None:
        self._kind, self._use = kind, use
        self._word = kind.replace("-", "_")

    def index(self, req: Request[None, Any]) -> TagsView:
        """All of them."""
        return TagsView(tags=list(self._use.get(scope(req.ctx), self._kind, req.path["ident"])))

    def show(self, req: Request[None, Any]) -> None:
        """Whether it has this one."""
        self._use.check(scope(req.ctx), self._kind, req.path["ident"], req.path["tag"])

    def replace(self, req: Request[TagsParams, Any]) -> TagsView:
        """Exactly these."""
        self._authorize(req, "update")
        return TagsView(tags=list(self._use.replace(scope(req.ctx), self._kind, req.path["ident"], req.params.tags)))

    def add_several(self, req: Request[TagsParams, Any]) -> TagsView:
        """These besides."""
        self._authorize(req, "update")
        return TagsView(tags=list(self._use.add(scope(req.ctx), self._kind, req.path["ident"], req.params.tags)))

    def add(self, req: Request[None, Any]) -> None:
        """This one besides."""
        self._authorize(req, "update")
        self._use.add(scope(req.ctx), self._kind, req.path["ident"], [req.path["tag"]])

    def remove(self, req: Request[None, Any]) -> None:
        """This one no more."""
        self._authorize(req, "delete")
        self._use.remove(scope(req.ctx), self._kind, req.path["ident"], req.path["tag"])

    def clear(self, req: Request[None, Any]) -> None:
        """None."""
        self._authorize(req, "delete")
        self._use.replace(scope(req.ctx), self._kind, req.path["ident"], [])

    def _authorize(self, req: Request[Any, Any], verb: str) -> None:
        project_id = self._use.owner(scope(req.ctx), self._kind, req.path["ident"])
        req.authorize(f"{verb}_{self._word}_tags", {"project_id": project_id})


def routes_of(kind: str) -> tuple[Route, ...]:
    """The route table for one kind."""
    word, several, one = kind.replace("-", "_"), f"/{kind}/{{ident}}/tags", f"/{kind}/{{ident}}/tags/{{tag}}"
    get, update, delete = (f"{verb}_{word}_tags" for verb in ("get", "update", "delete"))
    return (
        Route("GET", several, TagResource.index, policy=get, view=TagsView),
        Route("PUT", several, TagResource.replace, policy=update, late_policy=True, params=TagsParams, view=TagsView),
        Route(
            "POST", several, TagResource.add_several, policy=update, late_policy=True, params=TagsParams, view=TagsView
        ),
        Route("DELETE", several, TagResource.clear, status=204, policy=delete, late_policy=True),
        Route("GET", one, TagResource.show, status=204, policy=get),
        Route("PUT", one, TagResource.add, status=201, policy=update, late_policy=True),
        Route("DELETE", one, TagResource.remove, status=204, policy=delete, late_policy=True),
    )


ROUTES = {kind: routes_of(kind) for kind in KINDS}
