"""Security groups, their rules, and who is in them."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import BindParameter, ColumnElement, bindparam, exists, func, insert, or_, select, true
from sqlalchemy.dialects import postgresql, sqlite

from kilonova.domain.context import RequestContext
from kilonova.domain.network import SecurityGroup, SecurityGroupRule
from kilonova.store.database import Tx
from kilonova.store.queries import network_rows
from kilonova.store.queries.network_rows import Listing
from kilonova.store.tables.network import fixed_ips, port_groups, ports, security_group_rules, security_groups

DEFAULT = "default"
_COLUMNS = network_rows.columns_of(security_groups, SecurityGroup)
_RULE = network_rows.columns_of(security_group_rules, SecurityGroupRule)

_WORDS: BindParameter[str] = bindparam("words", expanding=True)
_IDS: BindParameter[str] = bindparam("ids", expanding=True)
_NAMED = select(*_COLUMNS).where(
    security_groups.c.project_id == bindparam("whose"),
    or_(security_groups.c.id.in_(_WORDS), security_groups.c.name.in_(_WORDS)),
)
_RUNS_THERE = (
    select(ports.c.id)
    .join(port_groups, port_groups.c.port_id == ports.c.id)
    .where(
        ports.c.host == bindparam("host"), ports.c.status == "ACTIVE", port_groups.c.group_id == security_groups.c.id
    )
)
_ON_HOST = (
    select(port_groups.c.group_id)
    .join(ports, ports.c.id == port_groups.c.port_id)
    .where(ports.c.host == bindparam("host"))
    .distinct()
)
_NAMED_BY = (
    select(security_group_rules.c.remote_group)
    .where(security_group_rules.c.group_id.in_(_IDS), security_group_rules.c.remote_group.is_not(None))
    .distinct()
)
_KNOWN_ON = select(security_groups.c.id).where(security_groups.c.id.in_(_IDS), exists(_RUNS_THERE))


def visible(ctx: RequestContext) -> ColumnElement[bool]:
    """A project sees its own groups."""
    return true() if ctx.all_projects else security_groups.c.project_id == (ctx.project_id or "")


def create(tx: Tx, group: SecurityGroup) -> bool:
    """Write a new group. False when it is a project's `default` and the project has one."""
    dialect = postgresql if tx.connection.dialect.name == "postgresql" else sqlite
    values = network_rows.row_of(security_groups, group) | {"is_default": group.name == DEFAULT}
    unless_there = (
        dialect.insert(security_groups).values(values).on_conflict_do_nothing().returning(security_groups.c.id)
    )
    return tx.execute(unless_there).first() is not None


def create_rules(tx: Tx, rules: Sequence[SecurityGroupRule]) -> None:
    """Write new rules."""
    if rules:
        tx.execute(insert(security_group_rules), [network_rows.row_of(security_group_rules, rule) for rule in rules])


def find(tx: Tx, ctx: RequestContext, group_id: str, *, lock: bool = False) -> SecurityGroup | None:
    """One group the caller may see, or None. `lock`: nobody else changes it or its rules until this transaction ends."""
    query = select(*_COLUMNS).where(security_groups.c.id == group_id, visible(ctx))
    row = tx.execute(query.with_for_update() if lock else query).first()
    return None if row is None else network_rows.thing(SecurityGroup, row)


def page(tx: Tx, ctx: RequestContext, listing: Listing) -> list[SecurityGroup]:
    """The groups a listing asks for, of those the caller may see."""
    query = select(*_COLUMNS).where(visible(ctx))
    rows = network_rows.page(tx, query, security_groups, listing, network_rows.tag_conditions(security_groups.c.tags))
    return [network_rows.thing(SecurityGroup, row) for row in rows]


def named(tx: Tx, project_id: str, words: Iterable[str]) -> list[SecurityGroup]:
    """A project's groups that have one of these as their id or name."""
    rows = tx.execute(_NAMED, {"whose": project_id, "words": list(set(words))})
    return [network_rows.thing(SecurityGroup, row) for row in rows]


def change(tx: Tx, group_id: str, changes: Mapping[str, Any], now: datetime) -> None:
    """Write changed columns."""
    network_rows.change(tx, security_groups, group_id, changes, now)


def delete(tx: Tx, group_id: str) -> None:
    """Delete a group and its rules; no port may be in it."""
    network_rows.remove(tx, security_groups, group_id)


def is_used(tx: Tx, group_id: str) -> bool:
    """Whether some port is in it."""
    return bool(tx.execute(select(exists(select(port_groups).where(port_groups.c.group_id == group_id)))).scalar())


def rules_of(tx: Tx, group_ids: Iterable[str]) -> dict[str, list[SecurityGroupRule]]:
    """The rules of each group, oldest first."""
    found: dict[str, list[SecurityGroupRule]] = {group_id: [] for group_id in group_ids}
    query = select(*_RULE).where(security_group_rules.c.group_id.in_(list(found)))
    for row in tx.execute(query.order_by(security_group_rules.c.created_at, security_group_rules.c.id)):
        found[row.group_id].append(network_rows.thing(SecurityGroupRule, row))
    return found


def find_rule(tx: Tx, ctx: RequestContext, rule_id: str) -> SecurityGroupRule | None:
    """One rule of a group the caller may see, or None."""
    query = select(*_RULE).where(security_group_rules.c.id == rule_id, _rule_visible(ctx))
    row = tx.execute(query).first()
    return None if row is None else network_rows.thing(SecurityGroupRule, row)


def page_rules(tx: Tx, ctx: RequestContext, listing: Listing) -> list[SecurityGroupRule]:
    """The rules a listing asks for, of those the caller may see."""
    rows = network_rows.page(tx, select(*_RULE).where(_rule_visible(ctx)), security_group_rules, listing, {})
    return [network_rows.thing(SecurityGroupRule, row) for row in rows]


def _rule_visible(ctx: RequestContext) -> ColumnElement[bool]:
    """The rules of a project's groups are its own, whoever wrote them."""
    return security_group_rules.c.group_id.in_(select(security_groups.c.id).where(visible(ctx)))


def delete_rule(tx: Tx, rule_id: str) -> None:
    """Delete one rule."""
    network_rows.remove(tx, security_group_rules, rule_id)


def default_ones(tx: Tx, group_ids: Iterable[str]) -> set[str]:
    """Which of these are the default group of their project."""
    query = select(security_groups.c.id).where(security_groups.c.id.in_(list(group_ids)), security_groups.c.is_default)
    return set(tx.execute(query).scalars())


def naming(tx: Tx, group_id: str) -> list[str]:
    """The groups with a rule that names this one as its remote."""
    query = select(security_group_rules.c.group_id).where(security_group_rules.c.remote_group == group_id)
    return list(tx.execute(query.distinct()).scalars())


def members(tx: Tx, group_ids: Sequence[str]) -> dict[str, dict[str, tuple[str, ...]]]:
    """
    The addresses of each group's ports, by network.

    A group may have very many: the database joins them to one text a network, which is several times faster than rows.
    """
    query = (
        select(port_groups.c.group_id, ports.c.network_id, func.aggregate_strings(fixed_ips.c.address, ","))
        .join(fixed_ips, fixed_ips.c.port_id == port_groups.c.port_id)
        .join(ports, ports.c.id == port_groups.c.port_id)
        .where(port_groups.c.group_id.in_(group_ids))
        .group_by(port_groups.c.group_id, ports.c.network_id)
    )
    found: dict[str, dict[str, tuple[str, ...]]] = {group_id: {} for group_id in group_ids}
    for group_id, network_id, text in network_rows.tuples(tx, query):
        found[group_id][network_id] = tuple(sorted(text.split(",")))
    return found


def known_on(tx: Tx, host: str, group_ids: Iterable[str]) -> set[str]:
    """Which of these groups a host has for sure: some port of it that is in the group was reported to run there."""
    return set(tx.execute(_KNOWN_ON, {"host": host, "ids": list(group_ids)}).scalars())


def on_host(tx: Tx, host: str) -> set[str]:
    """The groups that ports on a host are in."""
    return set(tx.execute(_ON_HOST, {"host": host}).scalars())


def named_by(tx: Tx, group_ids: Collection[str]) -> set[str]:
    """The groups that the rules of these name as their remote."""
    return set(tx.execute(_NAMED_BY, {"ids": list(group_ids)}).scalars()) if group_ids else set()
