"""Security groups."""

from __future__ import annotations

from typing import Any

from kilonova.api.framework import UNSET, Maybe, Page, Params, Request, Route, View
from kilonova.api.framework.types import Flag, Text255, iso_z
from kilonova.api.network.common import (
    COMMON,
    TAGGED,
    Attributes,
    ListQuery,
    ShowQuery,
    asked,
    flag,
    given,
    only,
    page_of,
    project_of,
    read_listing,
    scope,
)  # fmt: skip
from kilonova.api.network.security_group_rules import RuleView, rule_view
from kilonova.domain.network import SecurityGroup, SecurityGroupRule
from kilonova.network.scoping import found
from kilonova.network.security_groups import NewGroup, SecurityGroups
from kilonova.store.database import Database
from kilonova.store.queries import security_groups
from kilonova.store.queries.security_groups import DEFAULT

ATTRIBUTES: Attributes = {**COMMON, **TAGGED, "stateful": flag("stateful")}


class GroupChange(Params):
    """What can be changed."""

    name: Maybe[Text255] = UNSET
    description: Maybe[Text255] = UNSET
    stateful: Maybe[Flag] = UNSET


class GroupParams(GroupChange):
    """What can be said when it is made."""

    project_id: Maybe[Text255] = UNSET
    tenant_id: Maybe[Text255] = UNSET


class CreateGroups(Params):
    """One group, or several."""

    security_group: Maybe[GroupParams] = UNSET
    security_groups: Maybe[list[GroupParams]] = UNSET


class GroupView(View):
    """A group with its rules."""

    id: Maybe[str] = UNSET
    name: Maybe[str] = UNSET
    description: Maybe[str] = UNSET
    project_id: Maybe[str] = UNSET
    tenant_id: Maybe[str] = UNSET
    stateful: Maybe[bool] = UNSET
    shared: Maybe[bool] = UNSET
    security_group_rules: Maybe[list[RuleView]] = UNSET
    tags: Maybe[list[str]] = UNSET
    revision_number: Maybe[int] = UNSET
    created_at: Maybe[str | None] = UNSET
    updated_at: Maybe[str | None] = UNSET


class GroupsView(View):
    """The answer to a creation: in the form of the question."""

    security_group: Maybe[GroupView] = UNSET
    security_groups: Maybe[list[GroupView]] = UNSET


def group_view(one: SecurityGroup, rules: list[SecurityGroupRule]) -> GroupView:
    """A group as callers see it."""
    is_default = one.name == DEFAULT
    return GroupView(
        id=one.id, name=one.name, description=one.description, project_id=one.project_id, tenant_id=one.project_id,
        stateful=one.stateful, shared=False, tags=list(one.tags), revision_number=one.revision,
        security_group_rules=[rule_view(rule, is_of_default=is_default) for rule in rules],
        created_at=iso_z(one.created_at), updated_at=iso_z(one.updated_at),
    )  # fmt: skip


class GroupResource:
    """The handlers of groups."""

    def __init__(self, database: Database, use: SecurityGroups) -> None:
        self._database, self._use = database, use

    def create(self, req: Request[CreateGroups, Any]) -> GroupsView:
        """Make one or several."""
        params = asked(req.params.security_group, req.params.security_groups, "security_group")
        wanted = [NewGroup(**given(one), project_id=project_of(one)) for one in params]
        views = self._views(self._use.create(scope(req.ctx), wanted))
        if req.params.security_group is UNSET:
            return GroupsView(security_groups=views)
        return GroupsView(security_group=views[0])

    def index(self, req: Request[None, ListQuery]) -> Page:
        """The groups that the caller may see; his project's default is there from the first look on."""
        self._use.ensure_default(req.ctx)
        with self._database.read() as tx:
            rows = security_groups.page(tx, scope(req.ctx), read_listing(req, ATTRIBUTES))
        views = {view.id: view for view in self._views(rows)}
        return page_of(req, rows, lambda row: views[row.id])

    def show(self, req: Request[None, ShowQuery]) -> View:
        """One group."""
        return only(self._views([self._find(req)])[0], req.query.fields)

    def update(self, req: Request[GroupChange, Any]) -> GroupView:
        """Change what was sent."""
        before = self._find(req)
        req.authorize("update_security_group", {"project_id": before.project_id})
        return self._views([self._use.update(scope(req.ctx), before.id, given(req.params))])[0]

    def delete(self, req: Request[None, Any]) -> None:
        """Delete it."""
        before = self._find(req)
        req.authorize("delete_security_group", {"project_id": before.project_id})
        self._use.delete(scope(req.ctx), before.id)

    def _find(self, req: Request[Any, Any]) -> SecurityGroup:
        with self._database.read() as tx:
            group_id = req.path["group_id"]
            return found(security_groups.find(tx, scope(req.ctx), group_id), "SecurityGroup", group_id)

    def _views(self, those: list[SecurityGroup]) -> list[GroupView]:
        with self._database.read() as tx:
            rules = security_groups.rules_of(tx, [one.id for one in those])
        return [group_view(one, rules[one.id]) for one in those]


_ALL, _ONE = "/security-groups", "/security-groups/{group_id}"
G = GroupResource
ROUTES = (
    Route("GET", _ALL, G.index, policy="get_security_group", query=ListQuery, view=GroupView, view_key="security_groups"),
    Route("POST", _ALL, G.create, status=201, policy="create_security_group", params=CreateGroups, view=GroupsView),
    Route("GET", _ONE, G.show, policy="get_security_group", query=ShowQuery, view=GroupView, view_key="security_group"),
    Route("PUT", _ONE, G.update, policy="update_security_group", late_policy=True, params=GroupChange,
          params_key="security_group", view=GroupView, view_key="security_group"),
    Route("DELETE", _ONE, G.delete, status=204, policy="delete_security_group", late_policy=True),
)  # fmt: skip
