"""`/v3/users`: users, their passwords, their projects and groups."""

from __future__ import annotations

from typing import Annotated, Any

from msgspec import field

from kilonova.api.framework import UNSET, Maybe, Meta, Page, Params, Query, Request, Route, View, rest
from kilonova.api.framework.types import Description, Flag, Name, Text255
from kilonova.api.identity.groups import GroupView, ListGroups, group_view
from kilonova.api.identity.lists import NameQuery, given, linked, list_page, listing, read_one, read_own
from kilonova.api.identity.projects import ListProjects, ProjectView, project_view
from kilonova.api.identity.views import LinksView, links
from kilonova.domain.errors import Denied, Rejected
from kilonova.domain.identity import DEFAULT_DOMAIN_ID, Group, Project, User
from kilonova.identity.passwords import MAX_LENGTH
from kilonova.identity.service import Identity
from kilonova.identity.users import NewPassword, NewUser, change_password, create_user, delete_user, update_user
from kilonova.store.queries import identity_roles

Password = Annotated[str, Meta(min_length=1, max_length=MAX_LENGTH)]


class CreateUser(Params):
    """What makes a user."""

    name: Name
    domain_id: Maybe[str | None] = UNSET
    password: Password | None = None
    email: Text255 | None = None
    description: Description | None = None
    enabled: Flag = True
    default_project_id: str | None = None
    options: dict[str, Any] = field(default_factory=dict)
    extra: Annotated[dict[str, Any], rest()] = field(default_factory=dict)


class UpdateUser(Params):
    """What may change in a user."""

    name: Maybe[Name] = UNSET
    domain_id: Maybe[str] = UNSET
    password: Maybe[Password | None] = UNSET
    email: Maybe[Text255 | None] = UNSET
    description: Maybe[Description | None] = UNSET
    enabled: Maybe[Flag] = UNSET
    default_project_id: Maybe[str | None] = UNSET
    options: Maybe[dict[str, Any]] = UNSET
    extra: Annotated[dict[str, Any], rest()] = field(default_factory=dict)


class ChangePassword(Params, strict=False):
    """A new password and the old one."""

    password: Password
    original_password: Password


class ListUsers(NameQuery):
    """Filters of the list."""

    domain_id: Maybe[str] = UNSET
    enabled: Maybe[Flag] = UNSET


class UserView(View):
    """A user on the wire."""

    id: str
    name: str
    domain_id: str
    enabled: bool
    password_expires_at: str | None
    options: dict[str, Any]
    federated: list[Any]
    links: LinksView
    email: Maybe[str] = UNSET
    description: Maybe[str] = UNSET
    default_project_id: Maybe[str] = UNSET
    extra: Annotated[dict[str, Any], rest()]


def user_view(req: Request[Any, Any], user: User) -> UserView:
    """A user as clients see it: optional attributes are absent, not null, where there are none."""
    return UserView(
        id=user.id,
        name=user.name,
        domain_id=user.domain_id,
        enabled=user.enabled,
        password_expires_at=None,
        options={},
        federated=[],
        links=links(req.base_url, "users", user.id),
        email=UNSET if user.email is None else user.email,
        description=UNSET if user.description is None else user.description,
        default_project_id=UNSET if user.default_project_id is None else user.default_project_id,
        extra=user.extra,
    )


class Users:
    """The user resource."""

    def __init__(self, identity: Identity) -> None:
        self._identity = identity

    def index(self, req: Request[None, ListUsers]) -> Page:
        """List users."""
        wanted = listing(req.query, "name", "domain_id", "enabled")
        return list_page(self._identity, req, User, wanted, lambda one: user_view(req, one))

    def show(self, req: Request[None, Query]) -> UserView:
        """Show one."""
        return user_view(req, self._own(req, "identity:get_user"))

    def create(self, req: Request[CreateUser, Query]) -> UserView:
        """Make one, in the caller's domain unless told otherwise."""
        params = req.params
        domain_id = params.domain_id if params.domain_id is not UNSET else None
        new = NewUser(
            name=params.name,
            domain_id=domain_id or req.ctx.domain_id or req.ctx.project_domain_id or DEFAULT_DOMAIN_ID,
            password=params.password,
            email=params.email,
            description=params.description,
            enabled=params.enabled,
            default_project_id=params.default_project_id,
            extra=params.extra,
        )
        return user_view(req, create_user(self._identity, new))

    def update(self, req: Request[UpdateUser, Query]) -> UserView:
        """Change one; its domain stays."""
        changes, ident = given(req.params), req.path["user_id"]
        changes.pop("options", None)
        extra = changes.pop("extra")
        domain_id = changes.pop("domain_id", UNSET)
        if domain_id is not UNSET and domain_id != read_one(self._identity, User, ident).domain_id:
            raise Rejected("user.domain_id cannot be changed.")
        return user_view(req, update_user(self._identity, ident, changes, extra))

    def delete(self, req: Request[None, Query]) -> None:
        """Delete one."""
        delete_user(self._identity, req.path["user_id"])

    def change_password(self, req: Request[ChangePassword, Query]) -> None:
        """A user's own change of password, for which the old one is needed."""
        if req.ctx.user_id != req.path["user_id"]:
            raise Denied("Only users themselves may change a password by giving the old one.")
        user = read_one(self._identity, User, req.path["user_id"])
        wanted = NewPassword(
            old=req.params.original_password, new=req.params.password, address=req.client, ticket=req.ticket
        )
        change_password(self._identity, user, wanted)

    def projects(self, req: Request[None, ListProjects]) -> Page:
        """The projects in which a user has a role."""
        user = self._own(req, "identity:list_user_projects")
        with self._identity.database.read() as tx:
            only = identity_roles.project_ids_of(tx, user.id)
        wanted = listing(req.query, "name", "domain_id", "enabled", only=only)
        return list_page(self._identity, req, Project, wanted, lambda one: project_view(req, one))

    def groups(self, req: Request[None, ListGroups]) -> Page:
        """The groups a user is in."""
        user = self._own(req, "identity:list_groups_for_user")
        with self._identity.database.read() as tx:
            only = identity_roles.group_ids_of(tx, user.id)
        wanted = listing(req.query, "name", "domain_id", only=only)
        return list_page(self._identity, req, Group, wanted, lambda one: group_view(req, one))

    def members(self, req: Request[None, ListUsers]) -> Page:
        """The users in a group."""
        group = read_one(self._identity, Group, req.path["group_id"])
        with self._identity.database.read() as tx:
            only = tuple(identity_roles.members(tx, [group.id]).get(group.id, ()))
        wanted = listing(req.query, "name", "domain_id", "enabled", only=only)
        return list_page(self._identity, req, User, wanted, lambda one: user_view(req, one))

    def access_rules(self, req: Request[None, Query]) -> Page:
        """There are none: credentials are narrowed by roles."""
        self._own(req, "identity:list_access_rules")
        return linked(req, [])

    def _own(self, req: Request[Any, Any], rule: str) -> User:
        return read_own(self._identity, req, User, rule, "user_id")


_ONE = "/users/{user_id}"
ROUTES = (
    Route("GET", "/users", Users.index, policy="identity:list_users", query=ListUsers, view=UserView, view_key="users"),
    Route(
        "POST", "/users", Users.create, status=201, policy="identity:create_user", lane="hashing",
        params=CreateUser, params_key="user", view=UserView, view_key="user",
    ),
    Route("GET", _ONE, Users.show, policy="identity:get_user", late_policy=True, view=UserView, view_key="user"),
    Route(
        "PATCH", _ONE, Users.update, policy="identity:update_user", lane="hashing",
        params=UpdateUser, params_key="user", view=UserView, view_key="user",
    ),
    Route("DELETE", _ONE, Users.delete, status=204, policy="identity:delete_user"),
    Route(
        "POST", f"{_ONE}/password", Users.change_password, status=204, params=ChangePassword, params_key="user",
        lane="logins",
    ),
    Route(
        "GET", f"{_ONE}/projects", Users.projects, policy="identity:list_user_projects", late_policy=True,
        query=ListProjects, view=ProjectView, view_key="projects",
    ),
    Route(
        "GET", f"{_ONE}/groups", Users.groups, policy="identity:list_groups_for_user", late_policy=True,
        query=ListGroups, view=GroupView, view_key="groups",
    ),
    Route(
        "GET", "/groups/{group_id}/users", Users.members, policy="identity:list_users_in_group",
        query=ListUsers, view=UserView, view_key="users",
    ),
    Route(
        "GET", f"{_ONE}/access_rules", Users.access_rules, policy="identity:list_access_rules", late_policy=True,
        view_key="access_rules",
    ),
)  # fmt: skip
