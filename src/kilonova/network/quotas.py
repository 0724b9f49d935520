"""
How many networks, subnets, ports, groups and rules a project may have.

What is made is counted once it is written, at the end of its transaction (`settle`): whoever comes second waits there for the
first, and counts what that one made. `check` asks beforehand, where nothing is made yet: the answer may be another by then.
"""

from __future__ import annotations

from collections.abc import Mapping

from kilonova.domain.errors import OverQuota
from kilonova.store.database import Tx
from kilonova.store.queries import network_quotas
from kilonova.store.queries.network_quotas import Use
from kilonova.store.queries.quotas import hold

DEFAULTS: Mapping[str, int] = {
    "network": 100,
    "subnet": 100,
    "port": 500,
    "security_group": 10,
    "security_group_rule": 100,
}
Made = Mapping[tuple[str, str], int]
"""How many of a resource were made for a project, by (project, resource)."""


def limits(tx: Tx, project_id: str) -> dict[str, int]:
    """A project's limits: its own, else the default class's, else the built-in ones."""
    return {**DEFAULTS, **network_quotas.limits(tx, project_id, DEFAULTS)}


def use(tx: Tx, project_id: str) -> dict[str, Use]:
    """Limits and use of every resource."""
    return {
        name: Use(limit, network_quotas.count(tx, project_id, name)) for name, limit in limits(tx, project_id).items()
    }


def check(tx: Tx, project_id: str, resource: str, wanted: int) -> None:
    """Raise OverQuota when `wanted` more of a resource would pass the project's limit as things are."""
    if wanted:
        limit, used = network_quotas.use(tx, project_id, resource, DEFAULTS[resource])
        _refuse_over(resource, limit, used, wanted)


def settle(tx: Tx, made: Made) -> None:
    """Raise OverQuota when what this transaction made passes a limit; nobody makes more of it until the transaction ends."""
    for (project_id, resource), count in sorted(made.items()):
        hold(tx, project_id, resource)
        limit, used = network_quotas.use(tx, project_id, resource, DEFAULTS[resource])
        _refuse_over(resource, limit, used - count, count)


def _refuse_over(resource: str, limit: int, used: int, wanted: int) -> None:
    if 0 <= limit < used + wanted:
        raise OverQuota(f"{resource}s", requested=wanted, used=used, limit=limit)
