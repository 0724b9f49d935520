"""How many networks, subnets, ports, groups and rules a project may have."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import msgspec

from kilonova.domain.errors import OverQuota
from kilonova.store.database import Tx
from kilonova.store.queries import network_quotas, networks, ports, security_groups, subnets

UNLIMITED = -1
DEFAULTS: Mapping[str, int] = {
    "network": 100,
    "subnet": 100,
    "port": 500,
    "security_group": 10,
    "security_group_rule": 100,
}
_COUNTERS: Mapping[str, Callable[[Tx, str], int]] = {
    "network": networks.count,
    "subnet": subnets.count,
    "port": ports.count,
    "security_group": security_groups.count,
    "security_group_rule": security_groups.count_rules,
}


class Use(msgspec.Struct, frozen=True):
    """A limit and what is used of it; a limit of -1 is none."""

    limit: int
    used: int


def limits(tx: Tx, project_id: str) -> dict[str, int]:
    """A project's limits: its own, else the default class's, else the built-in ones."""
    return {**DEFAULTS, **network_quotas.limits(tx, project_id, DEFAULTS)}


def use(tx: Tx, project_id: str) -> dict[str, Use]:
    """Limits and use of every resource."""
    return {name: Use(limit, _COUNTERS[name](tx, project_id)) for name, limit in limits(tx, project_id).items()}


def check(tx: Tx, project_id: str, resource: str, wanted: int) -> None:
    """Raise OverQuota when `wanted` more of a resource would pass the project's limit."""
    if wanted == 0:
        return
    limit = limits(tx, project_id)[resource]
    if limit == UNLIMITED:
        return
    used = _COUNTERS[resource](tx, project_id)
    if used + wanted > limit:
        raise OverQuota(f"{resource}s", requested=wanted, used=used, limit=limit)
