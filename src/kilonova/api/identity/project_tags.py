"""`/v3/projects/{project_id}/tags`."""

from __future__ import annotations

from typing import Annotated, Any

from kilonova.api.framework import Meta, Params, Query, Reply, Request, Route, reads
from kilonova.api.identity.lists import read_own
from kilonova.domain.errors import Missing, Rejected
from kilonova.domain.identity import Project
from kilonova.identity.projects import add_tag, remove_tag, update_project
from kilonova.identity.service import Identity


def check_tag(value: str) -> str:
    """A tag stands in URLs and in comma-separated lists."""
    if "/" in value or "," in value:
        raise ValueError("a tag holds neither '/' nor ','")
    return value


Tag = Annotated[str, Meta(min_length=1, max_length=255), reads(check_tag)]


class PutTags(Params):
    """All tags of a project."""

    tags: list[Tag]


class ProjectTags:
    """The tags of a project."""

    def __init__(self, identity: Identity) -> None:
        self._identity = identity

    def index(self, req: Request[None, Query]) -> dict[str, Any]:
        """List a project's tags."""
        return {"tags": list(self._own(req).tags)}

    def replace(self, req: Request[PutTags, Query]) -> dict[str, Any]:
        """Replace all tags."""
        changed = update_project(self._identity, req.path["project_id"], {"tags": tuple(req.params.tags)}, {})
        return {"tags": list(changed.tags), "links": {"self": req.url}}

    def clear(self, req: Request[None, Query]) -> None:
        """Remove all tags."""
        update_project(self._identity, req.path["project_id"], {"tags": ()}, {})

    def check(self, req: Request[None, Query]) -> None:
        """Whether a project has a tag."""
        if req.path["tag"] not in self._own(req).tags:
            raise Missing("Project tag", req.path["tag"])

    def add(self, req: Request[None, Query]) -> Reply:
        """Add a tag."""
        tag = req.path["tag"]
        if "," in tag or "/" in tag or len(tag) > 255:
            raise Rejected("A tag has at most 255 characters, and neither '/' nor ',' among them.")
        add_tag(self._identity, req.path["project_id"], tag)
        return Reply(None, headers={"Location": req.url})

    def remove(self, req: Request[None, Query]) -> None:
        """Remove a tag."""
        remove_tag(self._identity, req.path["project_id"], req.path["tag"])

    def _own(self, req: Request[Any, Any]) -> Project:
        return read_own(self._identity, req, Project, "identity:get_project", "project_id")


_TAGS, _TAG = "/projects/{project_id}/tags", "/projects/{project_id}/tags/{tag}"
ROUTES = (
    Route("GET", _TAGS, ProjectTags.index, policy="identity:list_project_tags", late_policy=True),
    Route("PUT", _TAGS, ProjectTags.replace, policy="identity:update_project_tags", params=PutTags),
    Route("DELETE", _TAGS, ProjectTags.clear, status=204, policy="identity:delete_project_tags"),
    Route("GET", _TAG, ProjectTags.check, status=204, policy="identity:get_project_tag", late_policy=True),
    Route("PUT", _TAG, ProjectTags.add, status=201, policy="identity:create_project_tag"),
    Route("DELETE", _TAG, ProjectTags.remove, status=204, policy="identity:delete_project_tag"),
)  # fmt: skip
