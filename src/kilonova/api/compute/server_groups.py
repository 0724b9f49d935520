"""
Server groups. Until 2.63 a group had a list of policies, one of them, and metadata that was always empty; from 2.64 on it has
one policy and rules.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from msgspec import UNSET

from kilonova.api.compute.common import scope
from kilonova.api.framework import (
    Maybe,
    Meta,
    Params,
    Query,
    Request,
    Route,
    View,
    between,
    since,
    until,
    wire,
)  # fmt: skip
from kilonova.api.framework.types import IntLike, Name
from kilonova.compute.server_groups import ServerGroups as UseCases
from kilonova.domain.server_group import GroupPolicy, ServerGroup
from kilonova.runtime import Runtime
from kilonova.store.queries import server_groups

_RULE = "os_compute_api:os-server-groups"
_MOST = 1000
Firm = Literal["affinity", "anti-affinity"]
AnyPolicy = Literal["affinity", "anti-affinity", "soft-affinity", "soft-anti-affinity"]
OneFirm = Annotated[list[Firm], Meta(min_length=1, max_length=1)]
OneOfAny = Annotated[list[AnyPolicy], Meta(min_length=1, max_length=1)]


class Rules(Params):
    """What may be said beside the policy anti-affinity."""

    max_server_per_host: Maybe[Annotated[IntLike, Meta(ge=1, le=2**31 - 1)]] = UNSET


class CreateGroup(Params):
    """A new group."""

    name: Name
    firm: Annotated[Maybe[OneFirm], wire("policies"), until("2.14")]
    policies: Annotated[Maybe[OneOfAny], between("2.15", "2.63")]
    policy: Annotated[Maybe[AnyPolicy], since("2.64")]
    rules: Annotated[Maybe[Rules], since("2.64")] = UNSET


class ListGroups(Query, strict=since("2.75")):
    """A page; `all_projects` is an administrator's, and whatever it is set to, it is set."""

    all_projects: Maybe[str] = UNSET
    limit: Maybe[Annotated[int, Meta(ge=0)]] = UNSET
    offset: Maybe[Annotated[int, Meta(ge=0, le=2**31 - 1)]] = UNSET


class ShowGroup(Query, strict=since("2.102")):
    """Nothing is asked; before 2.102 anything may be."""


class GroupView(View):
    """A server group."""

    id: str
    name: str
    members: list[str]
    policies: Annotated[list[str], until("2.63")]
    metadata: Annotated[dict[str, str], until("2.63")]
    policy: Annotated[str, since("2.64")]
    rules: Annotated[dict[str, int], since("2.64")]
    project_id: Annotated[str, since("2.13")]
    user_id: Annotated[str, since("2.13")]


class ServerGroups:
    """The resource, with the use cases behind it."""

    def __init__(self, runtime: Runtime, *, use_cases: UseCases) -> None:
        self._database, self._use_cases = runtime.db, use_cases

    def index(self, req: Request[None, ListGroups]) -> list[GroupView]:
        """The project's, or everybody's."""
        sent, ctx = req.query, req.ctx
        if sent.all_projects is not UNSET and ctx.is_admin:
            req.authorize(f"{_RULE}:index:all_projects")
            ctx = ctx.across_projects()
        limit = min(_MOST, _MOST if sent.limit is UNSET or sent.limit == 0 else sent.limit)
        offset = 0 if sent.offset is UNSET else sent.offset
        with self._database.read() as tx:
            return [_view(one) for one in server_groups.listed(tx, ctx, limit=limit, offset=offset)]

    def show(self, req: Request[None, ShowGroup]) -> GroupView:
        """One."""
        with self._database.read() as tx:
            return _view(server_groups.get(tx, scope(req, f"{_RULE}:show"), req.path["id"]))

    def create(self, req: Request[CreateGroup, Query]) -> GroupView:
        """Make one."""
        sent = req.params
        policy = next(one for one in (sent.policy, *_first(sent.policies), *_first(sent.firm)) if one is not UNSET)
        most = UNSET if sent.rules is UNSET else sent.rules.max_server_per_host
        made = self._use_cases.create(req.ctx, sent.name, GroupPolicy(policy), None if most is UNSET else most)
        return _view(made)

    def delete(self, req: Request[None, Query]) -> None:
        """Delete one."""
        self._use_cases.delete(scope(req, f"{_RULE}:delete"), req.path["id"])


def _first(sent: Any) -> Any:
    return () if sent is UNSET else sent


def _view(one: ServerGroup) -> GroupView:
    rules = {} if one.max_server_per_host is None else {"max_server_per_host": one.max_server_per_host}
    return GroupView(
        id=one.id, name=one.name, members=list(one.members), policies=[one.policy.value], metadata={},
        policy=one.policy.value, rules=rules, project_id=one.project_id, user_id=one.user_id,
    )  # fmt: skip


_ALL, _ONE = "/os-server-groups", "/os-server-groups/{id}"
_SHOWN: dict[str, Any] = {"view": GroupView, "view_key": "server_group"}

ROUTES = (
    Route("GET", _ALL, ServerGroups.index, policy=f"{_RULE}:index", query=ListGroups, view=GroupView,
          view_key="server_groups", summary="List server groups"),
    Route("POST", _ALL, ServerGroups.create, policy=f"{_RULE}:create", params=CreateGroup, params_key="server_group",
          summary="Create a server group", **_SHOWN),
    Route("GET", _ONE, ServerGroups.show, policy=f"{_RULE}:show", query=ShowGroup, summary="Show a server group", **_SHOWN),
    Route("DELETE", _ONE, ServerGroups.delete, status=204, policy=f"{_RULE}:delete", summary="Delete a server group"),
)  # fmt: skip
