"""
Server groups, their members, and how many of them each host has.

Counts follow from two records, who is a member and what each server is allocated, and are kept nowhere else. So they cannot be
wrong, and whoever holds a group's row lock (`rule_for_claim`) knows that they stay right until its commit: every placement of a
member takes that lock first.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec
from sqlalchemy import Select, bindparam, delete, func, insert, select

from kilonova.domain.context import RequestContext
from kilonova.domain.errors import Missing
from kilonova.domain.server_group import GroupPolicy, GroupRule, ServerGroup
from kilonova.store.database import Tx
from kilonova.store.tables.compute import servers
from kilonova.store.tables.hosts import allocations, hosts
from kilonova.store.tables.placement import server_group_members, server_groups

_members = server_group_members
_PLACED = (
    select(_members.c.group_id, hosts.c.name.label("host"), func.count(_members.c.server_id.distinct()).label("held"))
    .join(allocations, allocations.c.server_id == _members.c.server_id)
    .join(hosts, hosts.c.id == allocations.c.host_id)
    .group_by(_members.c.group_id, hosts.c.name)
)
_JOINED = select(_members).join(servers, servers.c.id == _members.c.server_id).order_by(servers.c.number)
_PLACED_OTHERS = _PLACED.where(_members.c.group_id == bindparam("group"), _members.c.server_id != bindparam("server"))
_OF_SERVER = select(_members.c.group_id).where(_members.c.server_id == bindparam("server"))
_OF_SERVERS = select(_members).where(_members.c.server_id.in_(bindparam("ids", expanding=True)))
_BY_ID = select(server_groups).where(server_groups.c.id == bindparam("group"))
_LOCKED = _BY_ID.with_for_update()
_LEAVE = delete(_members).where(_members.c.server_id == bindparam("server"))


class GroupOfClaim(msgspec.Struct, frozen=True, kw_only=True):
    """What a group asks, and how many of its other servers each host has: true until the transaction ends."""

    rule: GroupRule
    others: dict[str, int]


def add(tx: Tx, new: ServerGroup, number: int) -> None:
    """Write a new group, without members; `number` is its place in lists."""
    values = msgspec.structs.asdict(new)
    del values["members"]
    tx.execute(insert(server_groups), {**values, "number": number})


def get(tx: Tx, ctx: RequestContext, group_id: str) -> ServerGroup:
    """One group in the caller's scope. Raises Missing."""
    found = _groups(tx, _scoped(_BY_ID, ctx), {"group": group_id})
    if not found:
        raise Missing("Instance group", group_id[:255])
    return found[0]


def listed(tx: Tx, ctx: RequestContext, *, limit: int | None = None, offset: int = 0) -> list[ServerGroup]:
    """The groups in the caller's scope, oldest first."""
    return _groups(tx, _scoped(select(server_groups), ctx).order_by(server_groups.c.number).limit(limit).offset(offset))


def rules(tx: Tx) -> dict[str, GroupRule]:
    """What each group of all projects asks of a placement, by its id; who its members are is not read."""
    query = select(server_groups.c.id, server_groups.c.policy, server_groups.c.max_server_per_host)
    return {row.id: rule for row in tx.execute(query) if (rule := _rule(row)) is not None}


def remove(tx: Tx, group: ServerGroup) -> None:
    """Delete a group; its servers stay."""
    tx.execute(delete(server_groups).where(server_groups.c.id == group.id))


def locked_for_change(tx: Tx, ctx: RequestContext, group_id: str) -> ServerGroup:
    """One group, locked: its members stay what they are. Raises Missing."""
    tx.execute(_LOCKED, {"group": group_id})
    return get(tx, ctx, group_id)


def join(tx: Tx, group_id: str, server_ids: Iterable[str]) -> None:
    """Make servers members."""
    tx.execute(insert(_members), [{"group_id": group_id, "server_id": one} for one in server_ids])


def leave(tx: Tx, server_id: str) -> None:
    """A server is no longer a member of any group."""
    tx.execute(_LEAVE, {"server": server_id})


def of_server(tx: Tx, server_id: str) -> str | None:
    """The id of a server's group."""
    found: str | None = tx.execute(_OF_SERVER, {"server": server_id}).scalar()
    return found


def of_servers(tx: Tx, server_ids: Sequence[str]) -> dict[str, str]:
    """The group's id of each of these servers that is in one."""
    return {row.server_id: row.group_id for row in tx.execute(_OF_SERVERS, {"ids": list(server_ids)})}


def members(tx: Tx, group_id: str) -> tuple[str, ...]:
    """The ids of a group's servers, oldest first."""
    return _members_of(tx, _JOINED.where(_members.c.group_id == group_id)).get(group_id, ())


def policy_of(tx: Tx, group_id: str) -> GroupRule | None:
    """What a group asks of a placement; None when there is no such group."""
    return _rule(tx.execute(_BY_ID, {"group": group_id}).first())


def counters(tx: Tx) -> dict[str, dict[str, int]]:
    """How many servers of each group are on each host, by group id and host name, in one query."""
    found: dict[str, dict[str, int]] = {}
    for row in tx.execute(_PLACED):
        found.setdefault(row.group_id, {})[row.host] = row.held
    return found


def rule_for_claim(tx: Tx, server_id: str) -> GroupOfClaim | None:
    """The group of a server that is about to be placed, locked; None for a server that is in no group."""
    group_id = of_server(tx, server_id)
    rule = None if group_id is None else _rule(tx.execute(_LOCKED, {"group": group_id}).first())
    if rule is None:
        return None
    rows = tx.execute(_PLACED_OTHERS, {"group": group_id, "server": server_id})
    return GroupOfClaim(rule=rule, others={row.host: row.held for row in rows})


def _scoped(query: Select[Any], ctx: RequestContext) -> Select[Any]:
    return query if ctx.all_projects else query.where(server_groups.c.project_id == ctx.project_id)


def _groups(tx: Tx, query: Select[Any], parameters: Any = None) -> list[ServerGroup]:
    rows = tx.execute(query, parameters).all()
    held = _members_of(tx, _JOINED.where(_members.c.group_id.in_([row.id for row in rows]))) if rows else {}
    return [_group(row, held) for row in rows]


def _members_of(tx: Tx, query: Select[Any]) -> dict[str, tuple[str, ...]]:
    found: dict[str, list[str]] = {}
    for row in tx.execute(query):
        found.setdefault(row.group_id, []).append(row.server_id)
    return {group_id: tuple(ids) for group_id, ids in found.items()}


def _group(row: Any, held: Mapping[str, tuple[str, ...]]) -> ServerGroup:
    return ServerGroup(
        id=row.id, project_id=row.project_id, user_id=row.user_id, name=row.name, policy=GroupPolicy(row.policy),
        max_server_per_host=row.max_server_per_host, members=held.get(row.id, ()), created_at=row.created_at,
    )  # fmt: skip


def _rule(row: Any) -> GroupRule | None:
    if row is None:
        return None
    return GroupRule(policy=GroupPolicy(row.policy), max_per_host=row.max_server_per_host or 1)
