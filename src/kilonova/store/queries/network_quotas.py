"""
The limits of networks and their like that differ from the built-in ones, kept with compute's in `quota_limits`; and how many
there are, for which the rows are counted.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from sqlalchemy import ScalarSelect, Select, Table, bindparam, case, delete, func, insert, select

from kilonova.store.database import Tx
from kilonova.store.queries.text import in_order
from kilonova.store.tables.compute import quota_limits
from kilonova.store.tables.network import networks, ports, security_group_rules, security_groups, subnets

DEFAULT_CLASS = "default"
_LIMITS = select(quota_limits.c.project_id, quota_limits.c.resource, quota_limits.c.hard_limit).where(
    quota_limits.c.project_id.in_(bindparam("names", expanding=True)),
    quota_limits.c.user_id == "",
    quota_limits.c.resource.in_(bindparam("resources", expanding=True)),
)
_COUNTED: Mapping[str, Table] = {
    "network": networks,
    "subnet": subnets,
    "port": ports,
    "security_group": security_groups,
    "security_group_rule": security_group_rules,
}


class Use(NamedTuple):
    """A limit and what is used of it; a limit of -1 is none."""

    limit: int
    used: int


def _limit_of(whose: Any, resource: str) -> ScalarSelect[int]:
    return (
        select(quota_limits.c.hard_limit)
        .where(quota_limits.c.project_id == whose, quota_limits.c.user_id == "", quota_limits.c.resource == resource)
        .scalar_subquery()
    )


def _count_of(table: Table) -> Select[Any]:
    return select(func.count()).select_from(table).where(table.c.project_id == bindparam("whose"))


def _use_of(resource: str, table: Table) -> Select[Any]:
    """What is not limited need not be counted, and there may be very many of it."""
    limit = func.coalesce(
        _limit_of(bindparam("whose"), resource), _limit_of(DEFAULT_CLASS, resource), bindparam("built_in")
    )
    return select(limit, case((limit >= 0, _count_of(table).scalar_subquery()), else_=0))


_COUNT = {name: _count_of(table) for name, table in _COUNTED.items()}
_USE = {name: _use_of(name, table) for name, table in _COUNTED.items()}


def count(tx: Tx, project_id: str, resource: str) -> int:
    """How many of a resource a project has."""
    return int(tx.execute(_COUNT[resource], {"whose": project_id}).scalar_one())


def use(tx: Tx, project_id: str, resource: str, built_in: int) -> Use:
    """A project's limit of a resource (its own, the default class's or `built_in`), and its use; 0 where there is no limit."""
    row: Any = tx.execute(_USE[resource], {"whose": project_id, "built_in": built_in}).one()
    return Use(limit=row[0], used=row[1])


def limits(tx: Tx, project_id: str, resources: Iterable[str]) -> dict[str, int]:
    """A project's limits, and the default class's where it has none of its own."""
    rows = tx.execute(_LIMITS, {"names": [project_id, DEFAULT_CLASS], "resources": list(resources)}).all()
    common = {row.resource: row.hard_limit for row in rows if row.project_id == DEFAULT_CLASS}
    own = {row.resource: row.hard_limit for row in rows if row.project_id == project_id}
    return common | own


def projects(tx: Tx, resources: Iterable[str]) -> list[str]:
    """The projects that have limits of their own."""
    named = in_order(quota_limits.c.project_id)
    query = select(named).where(
        quota_limits.c.project_id != DEFAULT_CLASS, quota_limits.c.resource.in_(list(resources))
    )
    return list(tx.execute(query.distinct().order_by(named)).scalars())


def put(tx: Tx, project_id: str, limits: Mapping[str, int]) -> None:
    """Set a project's limits of these resources."""
    remove(tx, project_id, limits)
    rows = [
        {"project_id": project_id, "user_id": "", "resource": resource, "hard_limit": limit}
        for resource, limit in limits.items()
    ]
    if rows:
        tx.execute(insert(quota_limits), rows)


def remove(tx: Tx, project_id: str, resources: Iterable[str]) -> None:
    """The default limits hold for a project again."""
    tx.execute(
        delete(quota_limits).where(
            quota_limits.c.project_id == project_id,
            quota_limits.c.user_id == "",
            quota_limits.c.resource.in_(list(resources)),
        )
    )
