"""Absolute limits of a project, and what it uses of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

from msgspec import UNSET

from kilonova.api.framework import Maybe, Query, Request, Route, View, since, until, wire
from kilonova.domain.errors import Rejected
from kilonova.runtime import Runtime
from kilonova.store.queries import network_quotas, quotas

_RULE = "os_compute_api:limits"
_ELSEWHERE = -1
"""Limits of the network service are its own: here they were always -1."""


class OfProject(Query, strict=since("2.75")):
    """Whose, for administrators. `reserved` was always ignored."""

    tenant_id: Maybe[str] = UNSET
    reserved: Maybe[str] = UNSET


class AbsoluteView(View):
    """Limits begin with `max`, use with `total`; RAM in MiB."""

    max_instances: Annotated[int, wire("maxTotalInstances")]
    max_cores: Annotated[int, wire("maxTotalCores")]
    max_ram: Annotated[int, wire("maxTotalRAMSize")]
    max_keypairs: Annotated[int, wire("maxTotalKeypairs")]
    max_server_meta: Annotated[int, wire("maxServerMeta")]
    max_server_groups: Annotated[int, wire("maxServerGroups")]
    max_group_members: Annotated[int, wire("maxServerGroupMembers")]
    max_image_meta: Annotated[int, wire("maxImageMeta"), until("2.38")]
    max_personality: Annotated[int, wire("maxPersonality"), until("2.56")]
    max_personality_size: Annotated[int, wire("maxPersonalitySize"), until("2.56")]
    max_security_groups: Annotated[int, wire("maxSecurityGroups"), until("2.35")] = _ELSEWHERE
    max_security_group_rules: Annotated[int, wire("maxSecurityGroupRules"), until("2.35")] = _ELSEWHERE
    max_floating_ips: Annotated[int, wire("maxTotalFloatingIps"), until("2.35")] = _ELSEWHERE
    used_instances: Annotated[int, wire("totalInstancesUsed")]
    used_cores: Annotated[int, wire("totalCoresUsed")]
    used_ram: Annotated[int, wire("totalRAMUsed")]
    used_server_groups: Annotated[int, wire("totalServerGroupsUsed")]
    used_security_groups: Annotated[int, wire("totalSecurityGroupsUsed"), until("2.35")]
    used_floating_ips: Annotated[int, wire("totalFloatingIpsUsed"), until("2.35")] = 0


class LimitsView(View):
    """There are no rate limits any more."""

    absolute: AbsoluteView
    rate: list[str]


class Limits:
    """The resource."""

    def __init__(self, runtime: Runtime) -> None:
        self._database = runtime.db

    def show(self, req: Request[None, OfProject]) -> LimitsView:
        """The caller's project's, or the named one's."""
        project_id = req.ctx.project_id
        if req.query.tenant_id is not UNSET:
            req.authorize(f"{_RULE}:other_project")
            project_id = req.query.tenant_id
        if project_id is None:
            raise Rejected("Limits are a project's: use a token scoped to one.")
        with self._database.read() as tx:
            groups = network_quotas.count(tx, project_id, "security_group")
            view = _absolute(quotas.limits(tx, project_id), quotas.used(tx, project_id), groups)
        return LimitsView(absolute=view, rate=[])


def _absolute(limits: Mapping[str, int], used: Mapping[str, int], groups: int) -> AbsoluteView:
    return AbsoluteView(
        max_instances=limits["instances"], max_cores=limits["cores"], max_ram=limits["ram"], max_keypairs=limits["key_pairs"],
        max_server_meta=limits["metadata_items"], max_image_meta=limits["metadata_items"],
        max_server_groups=limits["server_groups"], max_group_members=limits["server_group_members"],
        max_personality=limits["injected_files"], max_personality_size=limits["injected_file_content_bytes"],
        used_instances=used.get("instances", 0), used_cores=used.get("cores", 0), used_ram=used.get("ram", 0),
        used_server_groups=used.get("server_groups", 0), used_security_groups=groups,
    )  # fmt: skip


ROUTES = (
    Route(
        "GET",
        "/limits",
        Limits.show,
        policy=_RULE,
        query=OfProject,
        view=LimitsView,
        view_key="limits",
        summary="Show limits",
    ),
)
