"""The limits of networks and their like that differ from the built-in ones, kept with compute's in `quota_limits`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from sqlalchemy import bindparam, delete, insert, select

from kilonova.store.database import Tx
from kilonova.store.tables.compute import quota_limits

DEFAULT_CLASS = "default"
_LIMITS = select(quota_limits.c.project_id, quota_limits.c.resource, quota_limits.c.hard_limit).where(
    quota_limits.c.project_id.in_(bindparam("names", expanding=True)),
    quota_limits.c.user_id == "",
    quota_limits.c.resource.in_(bindparam("resources", expanding=True)),
)


def limits(tx: Tx, project_id: str, resources: Iterable[str]) -> dict[str, int]:
    """A project's limits, and the default class's where it has none of its own."""
    rows = tx.execute(_LIMITS, {"names": [project_id, DEFAULT_CLASS], "resources": list(resources)}).all()
    common = {row.resource: row.hard_limit for row in rows if row.project_id == DEFAULT_CLASS}
    own = {row.resource: row.hard_limit for row in rows if row.project_id == project_id}
    return common | own


def projects(tx: Tx, resources: Iterable[str]) -> list[str]:
    """The projects that have limits of their own."""
    query = select(quota_limits.c.project_id).where(
        quota_limits.c.project_id != DEFAULT_CLASS, quota_limits.c.resource.in_(list(resources))
    )
    return list(tx.execute(query.distinct().order_by(quota_limits.c.project_id)).scalars())


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
