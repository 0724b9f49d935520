"""`/v3/projects`, with their tags."""

from __future__ import annotations

from typing import Annotated, Any

from msgspec import field

from kilonova.api.framework import (
    UNSET,
    Maybe,
    Page,
    Params,
    Query,
    Request,
    Route,
    View,
    rest,
    wire,
)
from kilonova.api.framework.types import Description, Flag, Name
from kilonova.api.identity.lists import NameQuery, described, list_page, listing, read_own
from kilonova.api.identity.project_tags import Tag
from kilonova.api.identity.views import LinksView, links
from kilonova.domain.errors import Rejected
from kilonova.domain.identity import DEFAULT_DOMAIN_ID, Project
from kilonova.identity.hierarchy import chain, parents_of, subtree_of, tree
from kilonova.identity.projects import NewProject, create_project, delete_project, update_project
from kilonova.identity.service import Identity
from kilonova.store.queries.identity_projects import tagged


class CreateProject(Params):
    """What makes a project."""

    name: Name
    domain_id: Maybe[str | None] = UNSET
    parent_id: str | None = None
    description: Description | None = None
    enabled: Flag = True
    is_domain: Flag = False
    tags: list[Tag] = field(default_factory=list)
    options: dict[str, Any] = field(default_factory=dict)
    extra: Annotated[dict[str, Any], rest()] = field(default_factory=dict)


class UpdateProject(Params):
    """What may change in a project."""

    name: Maybe[Name] = UNSET
    domain_id: Maybe[str] = UNSET
    parent_id: Maybe[str | None] = UNSET
    is_domain: Maybe[Flag] = UNSET
    description: Maybe[Description | None] = UNSET
    enabled: Maybe[Flag] = UNSET
    tags: Maybe[list[Tag]] = UNSET
    options: Maybe[dict[str, Any]] = UNSET
    extra: Annotated[dict[str, Any], rest()] = field(default_factory=dict)


class ListProjects(NameQuery):
    """Filters of the list."""

    domain_id: Maybe[str] = UNSET
    parent_id: Maybe[str] = UNSET
    enabled: Maybe[Flag] = UNSET
    is_domain: Maybe[Flag] = UNSET
    tags: Maybe[str] = UNSET
    tags_any: Annotated[Maybe[str], wire("tags-any")] = UNSET
    not_tags: Annotated[Maybe[str], wire("not-tags")] = UNSET
    not_tags_any: Annotated[Maybe[str], wire("not-tags-any")] = UNSET


class ShowProject(Query):
    """What to show of the tree around a project; each is set by being there."""

    parents_as_list: Maybe[str] = UNSET
    parents_as_ids: Maybe[str] = UNSET
    subtree_as_list: Maybe[str] = UNSET
    subtree_as_ids: Maybe[str] = UNSET


class ProjectView(View):
    """A project on the wire."""

    id: str
    name: str
    domain_id: str
    parent_id: str | None
    description: str
    enabled: bool
    is_domain: bool
    tags: list[str]
    options: dict[str, Any]
    links: LinksView
    parents: Maybe[Any] = UNSET
    subtree: Maybe[Any] = UNSET
    extra: Annotated[dict[str, Any], rest()]


def project_view(req: Request[Any, Any], project: Project) -> ProjectView:
    """A project as clients see it."""
    return ProjectView(
        id=project.id,
        name=project.name,
        domain_id=project.domain_id,
        parent_id=project.parent_id,
        description=project.description,
        enabled=project.enabled,
        is_domain=False,
        tags=list(project.tags),
        options={},
        links=links(req.base_url, "projects", project.id),
        extra=project.extra,
    )


class Projects:
    """The project resource."""

    def __init__(self, identity: Identity) -> None:
        self._identity = identity

    def index(self, req: Request[None, ListProjects]) -> Page:
        """List projects; there is none that is a domain."""
        query = req.query
        only = () if query.is_domain is True else None
        wanted = listing(
            query, "name", "domain_id", "parent_id", "enabled", only=only, where=tagged(_tag_filters(query))
        )
        return list_page(self._identity, req, Project, wanted, lambda one: project_view(req, one))

    def show(self, req: Request[None, ShowProject]) -> ProjectView:
        """Show one, with the tree around it if asked for: ids of all, documents of what the caller may see."""
        project, query = self._own(req), req.query
        view = project_view(req, project)
        with self._identity.database.read() as tx:
            if query.parents_as_list is not UNSET or query.parents_as_ids is not UNSET:
                above = parents_of(tx, project)
                view.parents = chain(above) if query.parents_as_list is UNSET else _documents(req, above)
            if query.subtree_as_list is not UNSET or query.subtree_as_ids is not UNSET:
                below = subtree_of(tx, project)
                view.subtree = tree(project.id, below) if query.subtree_as_list is UNSET else _documents(req, below)
        return view

    def create(self, req: Request[CreateProject, Query]) -> ProjectView:
        """Make one, in the caller's domain unless told otherwise."""
        given_ = req.params
        if given_.is_domain:
            raise Rejected("A project cannot be a domain here.", next_step="POST /v3/domains makes a domain.")
        domain_id = given_.domain_id if given_.domain_id is not UNSET else None
        new = NewProject(
            name=given_.name,
            domain_id=domain_id or req.ctx.domain_id or req.ctx.project_domain_id or DEFAULT_DOMAIN_ID,
            parent_id=given_.parent_id,
            description=given_.description or "",
            enabled=given_.enabled,
            tags=tuple(given_.tags),
            extra=given_.extra,
        )
        return project_view(req, create_project(self._identity, new))

    def update(self, req: Request[UpdateProject, Query]) -> ProjectView:
        """Change one; its place in the tree stays."""
        changes, ident = described(req.params), req.path["project_id"]
        extra = changes.pop("extra")
        before = read_own(self._identity, req, Project, "identity:get_project", "project_id")
        for name in ("domain_id", "parent_id", "is_domain"):
            if changes.pop(name, UNSET) not in (UNSET, getattr(before, name, False)):
                raise Rejected(f"project.{name} cannot be changed.")
        changes.pop("options", None)
        if "tags" in changes:
            changes["tags"] = tuple(changes["tags"])
        return project_view(req, update_project(self._identity, ident, changes, extra))

    def delete(self, req: Request[None, Query]) -> None:
        """Delete one without children."""
        delete_project(self._identity, req.path["project_id"])

    def _own(self, req: Request[Any, Any]) -> Project:
        return read_own(self._identity, req, Project, "identity:get_project", "project_id")


def _documents(req: Request[Any, Any], projects: list[Project]) -> list[dict[str, dict[str, Any]]]:
    seen = [one for one in projects if req.can("identity:get_project", {"project_id": one.id})]
    return [{"project": {**one.extra, **_fields(project_view(req, one))}} for one in seen]


def _fields(view: ProjectView) -> dict[str, Any]:
    return {
        name: value
        for name in view.__struct_fields__
        if (value := getattr(view, name)) is not UNSET and name != "extra"
    }


def _tag_filters(query: ListProjects) -> dict[str, list[str]]:
    texts = {name: getattr(query, name) for name in ("tags", "tags_any", "not_tags", "not_tags_any")}
    return {name: text.split(",") for name, text in texts.items() if text is not UNSET}


_ONE = "/projects/{project_id}"
ROUTES = (
    Route(
        "GET", "/projects", Projects.index, policy="identity:list_projects",
        query=ListProjects, view=ProjectView, view_key="projects",
    ),
    Route(
        "POST", "/projects", Projects.create, status=201, policy="identity:create_project",
        params=CreateProject, params_key="project", view=ProjectView, view_key="project",
    ),
    Route(
        "GET", _ONE, Projects.show, policy="identity:get_project", late_policy=True,
        query=ShowProject, view=ProjectView, view_key="project",
    ),
    Route(
        "PATCH", _ONE, Projects.update, policy="identity:update_project",
        params=UpdateProject, params_key="project", view=ProjectView, view_key="project",
    ),
    Route("DELETE", _ONE, Projects.delete, status=204, policy="identity:delete_project"),
)  # fmt: skip
