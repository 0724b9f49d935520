"""`/v3/groups` and their members."""

from __future__ import annotations

from typing import Any

from kilonova.api.framework import UNSET, Maybe, Page, Params, Query, Request, Route, View
from kilonova.api.framework.types import Description, Name
from kilonova.api.identity.lists import NameQuery, described, list_page, listing, read_one
from kilonova.api.identity.views import LinksView, links
from kilonova.domain.errors import Missing, Rejected
from kilonova.domain.identity import DEFAULT_DOMAIN_ID, Group
from kilonova.identity.groups import NewGroup, add_member, create_group, delete_group, remove_member, update_group
from kilonova.identity.service import Identity
from kilonova.store.queries import identity as nouns
from kilonova.store.queries import identity_roles


class CreateGroup(Params, strict=False):
    """What makes a group."""

    name: Name
    domain_id: Maybe[str | None] = UNSET
    description: Description | None = None


class UpdateGroup(Params, strict=False):
    """What may change in a group."""

    name: Maybe[Name] = UNSET
    domain_id: Maybe[str] = UNSET
    description: Maybe[Description | None] = UNSET


class ListGroups(NameQuery):
    """Filters of the list."""

    domain_id: Maybe[str] = UNSET


class GroupView(View):
    """A group on the wire."""

    id: str
    name: str
    domain_id: str
    description: str
    links: LinksView


def group_view(req: Request[Any, Any], group: Group) -> GroupView:
    """A group as clients see it."""
    return GroupView(
        id=group.id,
        name=group.name,
        domain_id=group.domain_id,
        description=group.description,
        links=links(req.base_url, "groups", group.id),
    )


class Groups:
    """The group resource."""

    def __init__(self, identity: Identity) -> None:
        self._identity = identity

    def index(self, req: Request[None, ListGroups]) -> Page:
        """List groups."""
        wanted = listing(req.query, "name", "domain_id")
        return list_page(self._identity, req, Group, wanted, lambda one: group_view(req, one))

    def show(self, req: Request[None, Query]) -> GroupView:
        """Show one."""
        return group_view(req, read_one(self._identity, Group, req.path["group_id"]))

    def create(self, req: Request[CreateGroup, Query]) -> GroupView:
        """Make one, in the caller's domain unless told otherwise."""
        params = req.params
        domain_id = params.domain_id if params.domain_id is not UNSET else None
        new = NewGroup(
            name=params.name,
            domain_id=domain_id or req.ctx.domain_id or req.ctx.project_domain_id or DEFAULT_DOMAIN_ID,
            description=params.description or "",
        )
        return group_view(req, create_group(self._identity, new))

    def update(self, req: Request[UpdateGroup, Query]) -> GroupView:
        """Change one; its domain stays."""
        changes, ident = described(req.params), req.path["group_id"]
        domain_id = changes.pop("domain_id", UNSET)
        if domain_id is not UNSET and domain_id != read_one(self._identity, Group, ident).domain_id:
            raise Rejected("group.domain_id cannot be changed.")
        return group_view(req, update_group(self._identity, ident, changes))

    def delete(self, req: Request[None, Query]) -> None:
        """Delete one."""
        delete_group(self._identity, req.path["group_id"])

    def add(self, req: Request[None, Query]) -> None:
        """Put a user in."""
        add_member(self._identity, req.path["group_id"], req.path["user_id"])

    def remove(self, req: Request[None, Query]) -> None:
        """Take a user out."""
        remove_member(self._identity, req.path["group_id"], req.path["user_id"])

    def check(self, req: Request[None, Query]) -> None:
        """Whether a user is in."""
        group_id, user_id = req.path["group_id"], req.path["user_id"]
        with self._identity.database.read() as tx:
            nouns.get(tx, Group, group_id)
            if not identity_roles.is_member(tx, group_id, user_id):
                raise Missing("User", f"{user_id} in group {group_id}")


_ONE, _MEMBER = "/groups/{group_id}", "/groups/{group_id}/users/{user_id}"
ROUTES = (
    Route("GET", "/groups", Groups.index, policy="identity:list_groups", query=ListGroups, view=GroupView, view_key="groups"),
    Route(
        "POST", "/groups", Groups.create, status=201, policy="identity:create_group",
        params=CreateGroup, params_key="group", view=GroupView, view_key="group",
    ),
    Route("GET", _ONE, Groups.show, policy="identity:get_group", view=GroupView, view_key="group"),
    Route(
        "PATCH", _ONE, Groups.update, policy="identity:update_group",
        params=UpdateGroup, params_key="group", view=GroupView, view_key="group",
    ),
    Route("DELETE", _ONE, Groups.delete, status=204, policy="identity:delete_group"),
    Route("PUT", _MEMBER, Groups.add, status=204, policy="identity:add_user_to_group"),
    Route("GET", _MEMBER, Groups.check, status=204, policy="identity:check_user_in_group"),
    Route("DELETE", _MEMBER, Groups.remove, status=204, policy="identity:remove_user_from_group"),
)  # fmt: skip
