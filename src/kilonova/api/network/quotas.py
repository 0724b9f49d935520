"""Quotas of projects."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from kilonova.api.framework import UNSET, Maybe, Meta, Page, Params, Request, Route, View
from kilonova.api.framework.types import Flag, IntLike
from kilonova.api.network.common import given
from kilonova.network import quotas
from kilonova.store.database import Database
from kilonova.store.queries import network_quotas

Limit = Annotated[IntLike, Meta(ge=-1, le=2**31 - 1)]


class QuotaParams(Params):
    """Limits; -1 is none."""

    network: Maybe[Limit] = UNSET
    subnet: Maybe[Limit] = UNSET
    port: Maybe[Limit] = UNSET
    security_group: Maybe[Limit] = UNSET
    security_group_rule: Maybe[Limit] = UNSET
    check_limit: Maybe[Flag] = UNSET
    force: Maybe[Flag] = UNSET


class QuotaView(View):
    """A project's limits."""

    network: int
    subnet: int
    port: int
    security_group: int
    security_group_rule: int
    project_id: Maybe[str] = UNSET
    tenant_id: Maybe[str] = UNSET


class UseView(View):
    """A limit and what is used of it."""

    limit: int
    used: int
    reserved: int = 0


class DetailView(View):
    """A project's limits and use."""

    network: UseView
    subnet: UseView
    port: UseView
    security_group: UseView
    security_group_rule: UseView


class ProjectView(View):
    """The caller's project, for clients that ask whose quota it would be."""

    tenant_id: str | None
    project_id: str | None


class QuotaResource:
    """The handlers."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def index(self, _: Request[None, Any]) -> Page:
        """Limits that are not the default, by project."""
        with self._database.read() as tx:
            projects = network_quotas.projects(tx, quotas.DEFAULTS)
            return Page([_view(quotas.limits(tx, one), one) for one in projects])

    def mine(self, req: Request[None, Any]) -> ProjectView:
        """The caller's project."""
        return ProjectView(tenant_id=req.ctx.project_id, project_id=req.ctx.project_id)

    def show(self, req: Request[None, Any]) -> QuotaView:
        """A project's limits."""
        return self._limits(req, req.path["project_id"])

    def default(self, req: Request[None, Any]) -> QuotaView:
        """What a project has of which nothing else was said."""
        req.authorize("get_quota", {"project_id": req.path["project_id"]})
        with self._database.read() as tx:
            return _view(quotas.limits(tx, network_quotas.DEFAULT_CLASS))

    def details(self, req: Request[None, Any]) -> DetailView:
        """A project's limits and use."""
        req.authorize("get_quota", {"project_id": req.path["project_id"]})
        with self._database.read() as tx:
            use = quotas.use(tx, req.path["project_id"])
        return DetailView(**{name: UseView(limit=one.limit, used=one.used) for name, one in use.items()})

    def update(self, req: Request[QuotaParams, Any]) -> QuotaView:
        """Set limits; the others stay."""
        with self._database.write() as tx:
            network_quotas.put(tx, req.path["project_id"], given(req.params, but=("check_limit", "force")))
        return self._limits(req, req.path["project_id"])

    def reset(self, req: Request[None, Any]) -> None:
        """The defaults hold again."""
        with self._database.write() as tx:
            network_quotas.remove(tx, req.path["project_id"], quotas.DEFAULTS)

    def _limits(self, req: Request[Any, Any], project_id: str) -> QuotaView:
        req.authorize("get_quota", {"project_id": project_id})
        with self._database.read() as tx:
            return _view(quotas.limits(tx, project_id))


def _view(limits: Mapping[str, int], project_id: Maybe[str] = UNSET) -> QuotaView:
    return QuotaView(
        network=limits["network"], subnet=limits["subnet"], port=limits["port"], security_group=limits["security_group"],
        security_group_rule=limits["security_group_rule"], project_id=project_id, tenant_id=project_id,
    )  # fmt: skip


_ONE = "/quotas/{project_id}"
R = QuotaResource
ROUTES = (
    Route("GET", "/quotas", R.index, policy="get_quotas", view=QuotaView, view_key="quotas"),
    Route("GET", "/quotas/tenant", R.mine, policy="get_quota", view=ProjectView, view_key="tenant"),
    Route("GET", "/quotas/project", R.mine, policy="get_quota", view=ProjectView, view_key="project"),
    Route("GET", _ONE, R.show, policy="get_quota", late_policy=True, view=QuotaView, view_key="quota"),
    Route("GET", f"{_ONE}/default", R.default, policy="get_quota", late_policy=True, view=QuotaView, view_key="quota"),
    Route("GET", f"{_ONE}/details", R.details, policy="get_quota", late_policy=True, view=DetailView, view_key="quota"),
    Route("GET", f"{_ONE}/details.json", R.details, policy="get_quota", late_policy=True, view=DetailView, view_key="quota"),
    Route("PUT", _ONE, R.update, policy="update_quota", params=QuotaParams, params_key="quota", view=QuotaView, view_key="quota"),
    Route("DELETE", _ONE, R.reset, status=204, policy="delete_quota"),
)  # fmt: skip
