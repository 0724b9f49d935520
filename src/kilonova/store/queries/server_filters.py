"""How lists of servers are filtered and sorted: one struct of wishes, turned into conditions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import ColumnElement, and_, exists, func, not_, or_, select

from kilonova.domain.server import Lifecycle
from kilonova.store.queries import status_sql
from kilonova.store.queries.keyset import flag, nullable
from kilonova.store.queries.text import contains, matches
from kilonova.store.tables.compute import servers
from kilonova.store.tables.network import fixed_ips, ports

_NULLABLE = (
    "access_ip_v4", "access_ip_v6", "availability_zone", "description", "host", "image_id", "key_name", "launched_at", "node",
    "terminated_at", "zone",
)  # fmt: skip
_PLAIN = (
    "created_at", "disk_config", "hostname", "id", "launch_index", "name", "number", "power_state",
    "progress", "project_id", "root_device", "updated_at", "user_id",
)  # fmt: skip

SORT_KEYS: Mapping[str, ColumnElement[Any]] = {
    **{name: servers.c[name] for name in _PLAIN},
    **{name: nullable(servers.c[name]) for name in _NULLABLE},
    **{name: flag(servers.c[name]) for name in ("config_drive", "locked")},
    "vm_state": status_sql.vm_state(),
    "task_state": func.coalesce(status_sql.task_state(), ""),
}
"""What a list can be sorted by; none of these is ever NULL."""


class ServerFilter(msgspec.Struct, frozen=True, kw_only=True):
    """
    What a list of servers is narrowed to; what is not named is not asked.

    `exact` and `patterns` are by column. `deleted` None means both the living and the deleted.
    """

    exact: Mapping[str, Any] = {}
    patterns: Mapping[str, str] = {}
    system_metadata: Mapping[str, str] = {}
    flavor_id: str | None = None
    statuses: tuple[str, ...] | None = None
    vm_states: tuple[str, ...] | None = None
    task_states: tuple[str | None, ...] | None = None
    ip: str | None = None
    ip6: str | None = None
    tags: tuple[str, ...] = ()
    tags_any: tuple[str, ...] = ()
    not_tags: tuple[str, ...] = ()
    not_tags_any: tuple[str, ...] = ()
    changes_since: datetime | None = None
    changes_before: datetime | None = None
    deleted: bool | None = False


def conditions(wanted: ServerFilter) -> Iterator[ColumnElement[bool]]:
    """One condition for each wish; all must hold."""
    for name, value in wanted.exact.items():
        yield servers.c[name] == value
    for name, pattern in wanted.patterns.items():
        yield matches(servers.c[name], pattern)
    for name, value in wanted.system_metadata.items():
        yield contains(servers.c.system_metadata, f"{_json(name)}:{_json(value)}")
    if wanted.flavor_id is not None:
        yield contains(servers.c.flavor, f'{{"id":{_json(wanted.flavor_id)},')
    yield from _of_state(wanted)
    yield from _of_time(wanted)
    yield from _of_tags(wanted)
    for address, mark in ((wanted.ip, "."), (wanted.ip6, ":")):
        if address is not None:
            yield _has_address(address, mark)


def _of_state(wanted: ServerFilter) -> Iterator[ColumnElement[bool]]:
    if wanted.statuses is not None:
        yield status_sql.with_status(wanted.statuses)
    if wanted.vm_states is not None:
        yield status_sql.vm_state().in_(wanted.vm_states)
    if wanted.task_states is not None:
        task = status_sql.task_state()
        yield or_(*(task.is_(None) if state is None else task == state for state in wanted.task_states))
    if wanted.deleted is not None:
        is_deleted = servers.c.lifecycle == Lifecycle.DELETED
        yield is_deleted if wanted.deleted else servers.c.lifecycle != Lifecycle.DELETED


def _of_time(wanted: ServerFilter) -> Iterator[ColumnElement[bool]]:
    if wanted.changes_since is not None:
        yield servers.c.updated_at >= wanted.changes_since
    if wanted.changes_before is not None:
        yield servers.c.updated_at <= wanted.changes_before


def _of_tags(wanted: ServerFilter) -> Iterator[ColumnElement[bool]]:
    """Tags are kept as a JSON list, so that one is there when its JSON text is."""
    if wanted.tags:
        yield and_(*map(_has_tag, wanted.tags))
    if wanted.tags_any:
        yield or_(*map(_has_tag, wanted.tags_any))
    if wanted.not_tags:
        yield not_(and_(*map(_has_tag, wanted.not_tags)))
    if wanted.not_tags_any:
        yield not_(or_(*map(_has_tag, wanted.not_tags_any)))


def _has_tag(tag: str) -> ColumnElement[bool]:
    return contains(servers.c.tags, _json(tag))


def _has_address(pattern: str, mark: str) -> ColumnElement[bool]:
    held = select(fixed_ips.c.address).join(ports, ports.c.id == fixed_ips.c.port_id)
    found = held.where(ports.c.server_id == servers.c.id, contains(fixed_ips.c.address, mark))
    return exists(found.where(matches(fixed_ips.c.address, pattern)))


def _json(text: str) -> str:
    return msgspec.json.encode(text).decode()
