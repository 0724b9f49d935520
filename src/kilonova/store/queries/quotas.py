"""
Limits, and what is used of them.

A limit is the user's own, else the project's, else the default class's, else the built-in one. Use of instances, cores and RAM
is counted in `quota_usage` in the transaction that makes or deletes the server, so that a limit is checked and taken at once:
`take` raises the counter first and looks afterwards, under the row's lock, and a passed limit rolls everything back. Counters are
locked in the order of their names, by whoever takes and by whoever gives back.

Of most other things the rows are counted: who adds one writes it first, then takes the lock of what is counted (`hold`), and
counts his own and all that others have committed. The lock comes behind those of the rows, several in the order of projects and
names.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import bindparam, delete, func, select, update
from sqlalchemy.dialects import postgresql, sqlite

from kilonova.domain.errors import OverQuota
from kilonova.store.database import Tx
from kilonova.store.tables.compute import quota_limits, quota_usage

DEFAULT_CLASS = "default"
BUILT_IN: Mapping[str, int] = {
    "instances": 10,
    "cores": 20,
    "ram": 51200,
    "metadata_items": 128,
    "injected_files": 5,
    "injected_file_content_bytes": 10240,
    "injected_file_path_bytes": 255,
    "key_pairs": 100,
    "server_groups": 10,
    "server_group_members": 10,
}
"""Nova's own defaults; RAM in MiB, -1 would be no limit."""


def _taking(dialect: Any) -> Any:
    add = dialect.insert(quota_usage)
    return add.on_conflict_do_update(
        index_elements=["project_id", "resource"], set_={"used": quota_usage.c.used + add.excluded.used}
    ).returning(quota_usage.c.used)


_TAKE = {dialect.dialect.name: _taking(dialect) for dialect in (postgresql, sqlite)}
_OURS = quota_limits.c.resource.in_(list(BUILT_IN))  # those of networks are beside them
_LIMITS = select(quota_limits).where(quota_limits.c.project_id.in_(bindparam("names", expanding=True)), _OURS)
_USED = select(quota_usage.c.resource, quota_usage.c.used).where(quota_usage.c.project_id == bindparam("whose"))
_HOLD = select(func.pg_advisory_xact_lock(func.hashtextextended(bindparam("what"), 0)))
_GIVE_BACK = (
    update(quota_usage)
    .where(quota_usage.c.project_id == bindparam("whose"), quota_usage.c.resource == bindparam("what"))
    .values(used=quota_usage.c.used - bindparam("amount"))
)


def defaults(tx: Tx) -> dict[str, int]:
    """The default class's limits."""
    return _overlaid(tx, (DEFAULT_CLASS, ""))


def class_key(name: str) -> str:
    """Where a class's limits are kept among the projects' own."""
    return DEFAULT_CLASS if name == DEFAULT_CLASS else f"class:{name}"


def of_class(tx: Tx, name: str) -> dict[str, int]:
    """The limits of a class."""
    return _overlaid(tx, (class_key(name), ""))


def limits(tx: Tx, project_id: str, user_id: str = "") -> dict[str, int]:
    """Every limit that holds for a project, or for one user in it."""
    return _overlaid(tx, (DEFAULT_CLASS, ""), (project_id, ""), *([(project_id, user_id)] if user_id else []))


def set_limits(tx: Tx, project_id: str, values: Mapping[str, int], user_id: str = "") -> None:
    """Set limits of a project, of a user in it, or of the default class."""
    for resource, limit in values.items():
        row = {"project_id": project_id, "user_id": user_id, "resource": resource, "hard_limit": limit}
        add = _insert(tx)(quota_limits).values(**row)
        tx.execute(
            add.on_conflict_do_update(
                index_elements=["project_id", "user_id", "resource"], set_={"hard_limit": add.excluded.hard_limit}
            )
        )


def forget(tx: Tx, project_id: str, user_id: str = "") -> None:
    """Go back to the defaults: for a project and its users, or for one user."""
    gone = delete(quota_limits).where(quota_limits.c.project_id == project_id, _OURS)
    tx.execute(gone.where(quota_limits.c.user_id == user_id) if user_id else gone)


def used(tx: Tx, project_id: str) -> dict[str, int]:
    """What a project uses of what is counted."""
    return {row.resource: row.used for row in tx.execute(_USED, {"whose": project_id})}


def take(tx: Tx, project_id: str, amounts: Mapping[str, int], allowed: Mapping[str, int]) -> None:
    """Count what new servers use. Raises OverQuota, naming the first limit that would be passed; the transaction must end."""
    for resource, amount in sorted(amounts.items()):
        row = {"project_id": project_id, "resource": resource, "used": amount}
        total = int(tx.execute(_TAKE[tx.connection.dialect.name], row).scalar_one())
        if 0 <= allowed[resource] < total:
            raise OverQuota(resource, requested=amount, used=total - amount, limit=allowed[resource])


def hold(tx: Tx, whose: str, resource: str) -> None:
    """What a project or user has of a resource is counted by nobody else until this transaction ends."""
    if tx.connection.dialect.name == "postgresql":  # SQLite has one writer in any case
        tx.execute(_HOLD, {"what": f"quota {resource} of {whose}"})


def give_back(tx: Tx, project_id: str, amounts: Mapping[str, int]) -> None:
    """Count that a project uses less."""
    tx.execute(_GIVE_BACK, [{"whose": project_id, "what": what, "amount": amounts[what]} for what in sorted(amounts)])


def _overlaid(tx: Tx, *layers: tuple[str, str]) -> dict[str, int]:
    names = {project_id for project_id, _ in layers}
    rows = tx.execute(_LIMITS, {"names": list(names)}).all()
    found = dict(BUILT_IN)
    for layer in layers:
        found |= {row.resource: row.hard_limit for row in rows if (row.project_id, row.user_id) == layer}
    return found


def _insert(tx: Tx) -> Any:
    return postgresql.insert if tx.connection.dialect.name == "postgresql" else sqlite.insert
