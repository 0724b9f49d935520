"""Rules of security groups."""

from __future__ import annotations

from typing import Annotated, Any

from kilonova.api.framework import UNSET, Maybe, Page, Params, Request, Route, View, reads, wire
from kilonova.api.framework.types import Text255, iso_z, read_int
from kilonova.api.network.common import (
    COMMON,
    Attributes,
    ListQuery,
    ShowQuery,
    asked,
    given,
    number,
    only,
    page_of,
    project_of,
    read_listing,
    scope,
    text,
)  # fmt: skip
from kilonova.domain.addresses import ip_network
from kilonova.domain.context import RequestContext
from kilonova.domain.network import SecurityGroupRule
from kilonova.network.errors import InvalidInput
from kilonova.network.rule_checks import NewRule
from kilonova.network.scoping import found, owner
from kilonova.network.security_groups import SecurityGroups
from kilonova.store.database import Database
from kilonova.store.queries import security_groups

ATTRIBUTES: Attributes = {
    **{name: how for name, how in COMMON.items() if name != "name"},
    "security_group_id": ("group_id", text),
    "direction": ("direction", text),
    "ethertype": ("ethertype", text),
    "protocol": ("protocol", text),
    "port_range_min": number("port_min"),
    "port_range_max": number("port_max"),
    "remote_ip_prefix": ("remote_cidr", text),
    "remote_group_id": ("remote_group", text),
}


def read_optional_int(value: int | str | None) -> int | None:
    """A number, also as text; null and the empty text are none."""
    return None if value in (None, "") else read_int(value)


def read_protocol(value: int | str | None) -> str | None:
    """A protocol by name or number."""
    return None if value in (None, "") else str(value)


def read_direction(value: str) -> str:
    """The way of the packets, as seen from the port."""
    if value.lower() not in ("ingress", "egress"):
        raise ValueError(f"{value[:64]!r} is neither ingress nor egress")
    return value.lower()


def read_ethertype(value: str) -> str:
    """IPv4 or IPv6, in any case."""
    known = {"ipv4": "IPv4", "ipv6": "IPv6"}
    if value.lower() not in known:
        raise ValueError(f"{value[:64]!r} is neither IPv4 nor IPv6")
    return known[value.lower()]


def read_prefix(value: str | None) -> str | None:
    """A range, or one address as a range of one."""
    if value in (None, ""):
        return None
    try:
        return str(ip_network(value, strict=False))
    except ValueError:
        raise ValueError(f"{value[:64]!r} is not a valid CIDR") from None


class RuleParams(Params):
    """A rule; ports are type and code for ICMP."""

    project_id: Maybe[Text255] = UNSET
    tenant_id: Maybe[Text255] = UNSET
    group_id: Annotated[Text255, wire("security_group_id")]
    direction: Annotated[str, reads(read_direction)]
    ethertype: Annotated[Maybe[str], reads(read_ethertype)] = UNSET
    protocol: Annotated[Maybe[str | None], reads(read_protocol, int | str | None)] = UNSET
    port_min: Annotated[Maybe[int | None], wire("port_range_min"), reads(read_optional_int, int | str | None)] = UNSET
    port_max: Annotated[Maybe[int | None], wire("port_range_max"), reads(read_optional_int, int | str | None)] = UNSET
    remote_cidr: Annotated[Maybe[str | None], wire("remote_ip_prefix"), reads(read_prefix, str | None)] = UNSET
    remote_group: Annotated[Maybe[Text255 | None], wire("remote_group_id")] = UNSET
    remote_address_group_id: Maybe[Text255 | None] = UNSET
    description: Maybe[Text255] = UNSET


class CreateRules(Params):
    """One rule, or several."""

    security_group_rule: Maybe[RuleParams] = UNSET
    security_group_rules: Maybe[list[RuleParams]] = UNSET


class RuleView(View):
    """A rule."""

    id: Maybe[str] = UNSET
    project_id: Maybe[str] = UNSET
    tenant_id: Maybe[str] = UNSET
    security_group_id: Maybe[str] = UNSET
    direction: Maybe[str] = UNSET
    ethertype: Maybe[str] = UNSET
    protocol: Maybe[str | None] = UNSET
    port_range_min: Maybe[int | None] = UNSET
    port_range_max: Maybe[int | None] = UNSET
    remote_ip_prefix: Maybe[str | None] = UNSET
    normalized_cidr: Maybe[str | None] = UNSET
    remote_group_id: Maybe[str | None] = UNSET
    remote_address_group_id: Maybe[str | None] = UNSET
    belongs_to_default_sg: Maybe[bool] = UNSET
    description: Maybe[str] = UNSET
    tags: Maybe[list[str]] = UNSET
    revision_number: Maybe[int] = UNSET
    created_at: Maybe[str | None] = UNSET
    updated_at: Maybe[str | None] = UNSET


class RulesView(View):
    """The answer to a creation: in the form of the question."""

    security_group_rule: Maybe[RuleView] = UNSET
    security_group_rules: Maybe[list[RuleView]] = UNSET


def rule_view(one: SecurityGroupRule, *, is_of_default: bool) -> RuleView:
    """A rule as callers see it."""
    return RuleView(
        id=one.id, project_id=one.project_id, tenant_id=one.project_id, security_group_id=one.group_id,
        direction=one.direction, ethertype=one.ethertype, protocol=one.protocol, port_range_min=one.port_min,
        port_range_max=one.port_max, remote_ip_prefix=one.remote_cidr, normalized_cidr=one.remote_cidr,
        remote_group_id=one.remote_group, remote_address_group_id=None, belongs_to_default_sg=is_of_default,
        description=one.description, tags=[], revision_number=one.revision, created_at=iso_z(one.created_at),
        updated_at=iso_z(one.updated_at),
    )  # fmt: skip


class RuleResource:
    """The handlers of rules."""

    def __init__(self, database: Database, use: SecurityGroups) -> None:
        self._database, self._use = database, use

    def create(self, req: Request[CreateRules, Any]) -> RulesView:
        """Add one or several."""
        params = asked(req.params.security_group_rule, req.params.security_group_rules, "security_group_rule")
        ctx = scope(req.ctx)
        views = self._views(self._use.create_rules(ctx, [_wanted(ctx, one) for one in params]))
        if req.params.security_group_rule is UNSET:
            return RulesView(security_group_rules=views)
        return RulesView(security_group_rule=views[0])

    def index(self, req: Request[None, ListQuery]) -> Page:
        """The rules of the groups that the caller may see."""
        with self._database.read() as tx:
            rows = security_groups.page_rules(tx, scope(req.ctx), read_listing(req, ATTRIBUTES))
        views = {view.id: view for view in self._views(rows)}
        return page_of(req, rows, lambda row: views[row.id])

    def show(self, req: Request[None, ShowQuery]) -> View:
        """One rule."""
        return only(self._views([self._find(req)])[0], req.query.fields)

    def delete(self, req: Request[None, Any]) -> None:
        """Delete it."""
        before = self._find(req)
        req.authorize("delete_security_group_rule", {"project_id": before.project_id})
        self._use.delete_rule(scope(req.ctx), before.id)

    def _find(self, req: Request[Any, Any]) -> SecurityGroupRule:
        with self._database.read() as tx:
            rule_id = req.path["rule_id"]
            return found(security_groups.find_rule(tx, scope(req.ctx), rule_id), "SecurityGroupRule", rule_id)

    def _views(self, those: list[SecurityGroupRule]) -> list[RuleView]:
        with self._database.read() as tx:
            defaults = security_groups.default_ones(tx, {one.group_id for one in those})
        return [rule_view(one, is_of_default=one.group_id in defaults) for one in those]


def _wanted(ctx: RequestContext, params: RuleParams) -> NewRule:
    if params.remote_address_group_id:
        raise InvalidInput("security_group_rule.remote_address_group_id", "there are no address groups here")
    if (project_id := project_of(params)) is not None:
        owner(ctx, project_id)  # a rule is of its group's project, and nobody may name another
    return NewRule(**given(params, but=("remote_address_group_id",)))


_ALL, _ONE = "/security-group-rules", "/security-group-rules/{rule_id}"
R = RuleResource
ROUTES = (
    Route("GET", _ALL, R.index, policy="get_security_group_rule", query=ListQuery, view=RuleView,
          view_key="security_group_rules"),
    Route("POST", _ALL, R.create, status=201, policy="create_security_group_rule", params=CreateRules, view=RulesView),
    Route("GET", _ONE, R.show, policy="get_security_group_rule", query=ShowQuery, view=RuleView,
          view_key="security_group_rule"),
    Route("DELETE", _ONE, R.delete, status=204, policy="delete_security_group_rule", late_policy=True),
)  # fmt: skip
