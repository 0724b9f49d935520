"""
Quotas of projects and users (`os-quota-sets`), and of the default class (`os-quota-class-sets`).

The limits of networks were never kept here: where old versions show them they are -1, and what is sent for them changes nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from msgspec import UNSET

from kilonova.api.framework import Maybe, Meta, Params, Query, Request, Route, View, since, until
from kilonova.api.framework.types import Flag, IntLike
from kilonova.compute.quotas import Quotas
from kilonova.runtime import Runtime
from kilonova.store.queries import keypairs, quotas

_RULE = "os_compute_api:os-quota-sets"
_KEYS_RULE = "os_compute_api:os-keypairs"
_CLASS_RULE = "os_compute_api:os-quota-class-sets"
_NETWORK = ("fixed_ips", "floating_ips", "security_groups", "security_group_rules")
Limit = Annotated[IntLike, Meta(ge=-1, le=2**31 - 1)]


class Wanted(Params):
    """Limits to be set; -1 is no limit."""

    instances: Maybe[Limit] = UNSET
    cores: Maybe[Limit] = UNSET
    ram: Maybe[Limit] = UNSET
    metadata_items: Maybe[Limit] = UNSET
    key_pairs: Maybe[Limit] = UNSET
    server_groups: Maybe[Limit] = UNSET
    server_group_members: Maybe[Limit] = UNSET
    injected_files: Annotated[Maybe[Limit], until("2.56")] = UNSET
    injected_file_content_bytes: Annotated[Maybe[Limit], until("2.56")] = UNSET
    injected_file_path_bytes: Annotated[Maybe[Limit], until("2.56")] = UNSET


class WantedSet(Wanted):
    """For a project or user; `force` allows a limit below what is used."""

    force: Flag = False
    fixed_ips: Annotated[Maybe[Limit], until("2.35")] = UNSET
    floating_ips: Annotated[Maybe[Limit], until("2.35")] = UNSET
    security_groups: Annotated[Maybe[Limit], until("2.35")] = UNSET
    security_group_rules: Annotated[Maybe[Limit], until("2.35")] = UNSET


class WantedClass(Wanted):
    """For a class."""

    fixed_ips: Annotated[Maybe[Limit], until("2.49")] = UNSET
    floating_ips: Annotated[Maybe[Limit], until("2.49")] = UNSET
    security_groups: Annotated[Maybe[Limit], until("2.49")] = UNSET
    security_group_rules: Annotated[Maybe[Limit], until("2.49")] = UNSET


class OfUser(Query, strict=since("2.75")):
    """A user of the project."""

    user_id: Maybe[str] = UNSET


class _Common(View):
    """What every set of limits has always had."""

    id: Maybe[str] = UNSET
    instances: int
    cores: int
    ram: int
    metadata_items: int
    key_pairs: int
    injected_files: Annotated[int, until("2.56")]
    injected_file_content_bytes: Annotated[int, until("2.56")]
    injected_file_path_bytes: Annotated[int, until("2.56")]


class QuotaSetView(_Common):
    """The limits of a project or user."""

    server_groups: int
    server_group_members: int
    fixed_ips: Annotated[int, until("2.35")]
    floating_ips: Annotated[int, until("2.35")]
    security_groups: Annotated[int, until("2.35")]
    security_group_rules: Annotated[int, until("2.35")]


class QuotaClassView(_Common):
    """The limits of a class."""

    server_groups: Annotated[int, since("2.50")]
    server_group_members: Annotated[int, since("2.50")]
    fixed_ips: Annotated[int, until("2.49")]
    floating_ips: Annotated[int, until("2.49")]
    security_groups: Annotated[int, until("2.49")]
    security_group_rules: Annotated[int, until("2.49")]


class Use(View):
    """A limit with its use; nothing is ever reserved."""

    limit: int
    in_use: int
    reserved: int = 0


class QuotaDetailView(View):
    """The limits of a project or user with their use."""

    id: str
    instances: Use
    cores: Use
    ram: Use
    metadata_items: Use
    key_pairs: Use
    server_groups: Use
    server_group_members: Use
    injected_files: Annotated[Use, until("2.56")]
    injected_file_content_bytes: Annotated[Use, until("2.56")]
    injected_file_path_bytes: Annotated[Use, until("2.56")]
    fixed_ips: Annotated[Use, until("2.35")]
    floating_ips: Annotated[Use, until("2.35")]
    security_groups: Annotated[Use, until("2.35")]
    security_group_rules: Annotated[Use, until("2.35")]


class QuotaSets:
    """The resource, with the use cases behind it."""

    def __init__(self, runtime: Runtime, *, use_cases: Quotas) -> None:
        self._database, self._use_cases = runtime.db, use_cases

    def show(self, req: Request[None, OfUser]) -> QuotaSetView:
        """A project's limits, or a user's in it."""
        project_id, user_id = self._whose(req, "show")
        with self._database.read() as tx:
            return QuotaSetView(**_with_network(quotas.limits(tx, project_id, user_id)), id=project_id)

    def detail(self, req: Request[None, OfUser]) -> QuotaDetailView:
        """The same with what is used."""
        project_id, user_id = self._whose(req, "detail")
        with self._database.read() as tx:
            limits, used = _with_network(quotas.limits(tx, project_id, user_id)), quotas.used(tx, project_id)
            if user_id and req.can(
                f"{_KEYS_RULE}:index", {"user_id": user_id}
            ):  # else they are not the caller's to count
                used["key_pairs"] = keypairs.count(tx, user_id)
        uses = {name: Use(limit=limit, in_use=used.get(name, 0)) for name, limit in limits.items()}
        return QuotaDetailView(**uses, id=project_id)

    def defaults(self, req: Request[None, Query]) -> QuotaSetView:
        """What a project has that was given nothing else. Whether there is such a project, who may see its limits is told."""
        project_id = req.path["project_id"]
        if req.can(f"{_RULE}:show", {"project_id": project_id}):
            self._use_cases.check_project(project_id)
        with self._database.read() as tx:
            return QuotaSetView(**_with_network(quotas.defaults(tx)), id=project_id)

    def update(self, req: Request[WantedSet, OfUser]) -> QuotaSetView:
        """Set limits."""
        project_id, user_id = self._whose(req, "update")
        now = self._use_cases.set(project_id, _sent(req.params), user_id=user_id, force=req.params.force)
        return QuotaSetView(**_with_network(now))

    def delete(self, req: Request[None, OfUser]) -> None:
        """Go back to the defaults."""
        project_id, user_id = self._whose(req, "delete")
        self._use_cases.forget(project_id, user_id=user_id)

    def _whose(self, req: Request[Any, OfUser], verb: str) -> tuple[str, str]:
        project_id = req.path["project_id"]
        req.authorize(f"{_RULE}:{verb}", {"project_id": project_id})
        self._use_cases.check_project(project_id)
        return project_id, "" if req.query.user_id is UNSET else req.query.user_id


class QuotaClasses:
    """The resource, with the use cases behind it."""

    def __init__(self, runtime: Runtime, *, use_cases: Quotas) -> None:
        self._database, self._use_cases = runtime.db, use_cases

    def show(self, req: Request[None, Query]) -> QuotaClassView:
        """A class's limits."""
        with self._database.read() as tx:
            return QuotaClassView(**_with_network(quotas.of_class(tx, req.path["name"])), id=req.path["name"])

    def update(self, req: Request[WantedClass, Query]) -> QuotaClassView:
        """Set limits of a class."""
        return QuotaClassView(**_with_network(self._use_cases.set_class(req.path["name"], _sent(req.params))))


def _sent(params: Wanted) -> dict[str, int]:
    return {name: value for name in quotas.BUILT_IN if (value := getattr(params, name, UNSET)) is not UNSET}


def _with_network(limits: Mapping[str, int]) -> dict[str, Any]:
    return {**limits, **dict.fromkeys(_NETWORK, -1)}


_ONE = "/os-quota-sets/{project_id}"
_SET: dict[str, Any] = {"query": OfUser, "view": QuotaSetView, "view_key": "quota_set", "summary": "Show quotas"}
_CLASS: dict[str, Any] = {"view": QuotaClassView, "view_key": "quota_class_set", "summary": "Show a quota class"}

SET_ROUTES = (
    Route("GET", _ONE, QuotaSets.show, policy=f"{_RULE}:show", late_policy=True, **_SET),
    Route("GET", f"{_ONE}/detail", QuotaSets.detail, policy=f"{_RULE}:detail", late_policy=True,
          **{**_SET, "view": QuotaDetailView}),
    Route("GET", f"{_ONE}/defaults", QuotaSets.defaults, policy=f"{_RULE}:defaults", view=QuotaSetView, view_key="quota_set",
          summary="Show default quotas"),
    Route("PUT", _ONE, QuotaSets.update, policy=f"{_RULE}:update", params=WantedSet, params_key="quota_set",
          **{**_SET, "summary": "Set quotas"}),
    Route("DELETE", _ONE, QuotaSets.delete, status=202, policy=f"{_RULE}:delete", query=OfUser, summary="Forget quotas"),
)  # fmt: skip
CLASS_ROUTES = (
    Route("GET", "/os-quota-class-sets/{name}", QuotaClasses.show, policy=f"{_CLASS_RULE}:show", **_CLASS),
    Route("PUT", "/os-quota-class-sets/{name}", QuotaClasses.update, policy=f"{_CLASS_RULE}:update", params=WantedClass,
          params_key="quota_class_set", **{**_CLASS, "summary": "Set a quota class"}),
)  # fmt: skip
