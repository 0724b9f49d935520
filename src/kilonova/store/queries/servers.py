"""
Servers as the API reads and edits them. Every query takes the caller's context and stays within its scope.

What sagas write of a server is in `server_facts.py`; how a list is filtered and sorted, in `server_filters.py`.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any, NamedTuple

import msgspec
from sqlalchemy import Select, bindparam, delete, false, insert, select, update

from kilonova.domain.context import RequestContext
from kilonova.domain.errors import Missing
from kilonova.domain.server import Lifecycle, Server
from kilonova.store.database import Tx
from kilonova.store.queries.keyset import Keyset, page
from kilonova.store.queries.server_filters import SORT_KEYS, ServerFilter, conditions
from kilonova.store.queries.server_row import STORED, server_of, servers_of
from kilonova.store.tables.compute import server_actions, servers
from kilonova.store.tables.growth import ACTIONS_PER_SERVER

_ADD = insert(servers)
_GET = select(servers).where(servers.c.id == bindparam("server_id"))
_GET_LIVE = _GET.where(servers.c.lifecycle != Lifecycle.DELETED)
_ACTED = select(server_actions.c.at).where(server_actions.c.server_id == bindparam("server_id"))
_FORGET_ACTIONS = delete(server_actions).where(
    server_actions.c.server_id == bindparam("server_id"),
    server_actions.c.at
    <= _ACTED.order_by(server_actions.c.at.desc()).offset(ACTIONS_PER_SERVER).limit(1).scalar_subquery(),
)
_IS_OWN = servers.c.project_id == bindparam("whose")
_GET_OWN_LIVE = _GET_LIVE.where(_IS_OWN)


class Brief(msgspec.Struct, frozen=True):
    """What the short list shows of a server."""

    id: str
    name: str


def add(tx: Tx, new: Sequence[Server]) -> None:
    """Write the records of new servers."""
    tx.execute(_ADD, [msgspec.structs.asdict(server) for server in new])


def get(tx: Tx, ctx: RequestContext, server_id: str, *, deleted: bool = False) -> Server:
    """One server in the caller's scope. Raises Missing; for a deleted one too, unless `deleted`."""
    query = _GET if deleted else _GET_LIVE
    if not ctx.all_projects:
        query = query.where(_IS_OWN) if deleted else _GET_OWN_LIVE
    row = tx.execute(query, {"server_id": server_id, "whose": ctx.project_id}).first()
    if row is None:
        raise Missing("Instance", server_id[:255])
    return server_of(row)


def those_of(tx: Tx, ctx: RequestContext, server_ids: Collection[str]) -> set[str]:
    """Which of these are servers in the caller's scope that are not deleted."""
    query = select(servers.c.id).where(servers.c.id.in_(server_ids), servers.c.lifecycle != Lifecycle.DELETED)
    return set(tx.execute(_scoped(query, ctx)).scalars())


def page_of(tx: Tx, ctx: RequestContext, wanted: ServerFilter, keyset: Keyset) -> list[Server]:
    """A page of servers, whole. Raises Rejected for an unknown marker."""
    return servers_of(tx.execute(_listed(tx, select(*STORED), ctx, wanted, keyset)).all())


def briefs(tx: Tx, ctx: RequestContext, wanted: ServerFilter, keyset: Keyset) -> list[Brief]:
    """A page of servers, ids and names only. Raises Rejected for an unknown marker."""
    query = _listed(tx, select(servers.c.id, servers.c.name), ctx, wanted, keyset)
    return [Brief(row.id, row.name) for row in tx.execute(query)]


def on_hosts(tx: Tx, names: Sequence[str]) -> dict[str, list[Brief]]:
    """The servers on these hosts, by host: an operator's view, in no tenant's scope."""
    query = select(servers.c.host, servers.c.id, servers.c.name).where(
        servers.c.host.in_(names), servers.c.lifecycle != Lifecycle.DELETED
    )
    found: dict[str, list[Brief]] = {name: [] for name in names}
    for row in tx.execute(query.order_by(servers.c.number)):
        found[row.host].append(Brief(row.id, row.name))
    return found


def edit(tx: Tx, server_id: str, now: datetime, **values: Any) -> None:
    """Change columns of a server that was found in scope in this transaction."""
    tx.execute(update(servers).where(servers.c.id == server_id).values(updated_at=now, **values))


def locked_for_edit(tx: Tx, ctx: RequestContext, server_id: str) -> Server:
    """As `get`, and nobody else edits the row before this transaction ends. Raises Missing."""
    query = _scoped(select(servers), ctx).where(servers.c.id == server_id, servers.c.lifecycle != Lifecycle.DELETED)
    row = tx.execute(query.with_for_update()).first()
    if row is None:
        raise Missing("Instance", server_id[:255])
    return server_of(row)


def note_action(
    tx: Tx, ctx: RequestContext, server_id: str, *, ident: str, action: str, now: datetime, message: str | None = None
) -> None:
    """Write down what was done to a server in this very transaction, for its timeline, of which the newest are kept."""
    tx.execute(
        insert(server_actions),
        {
            "id": ident, "server_id": server_id, "action": action, "request_id": ctx.request_id,
            "project_id": ctx.project_id, "user_id": ctx.user_id, "message": message, "at": now,
        },
    )  # fmt: skip
    tx.execute(_FORGET_ACTIONS, {"server_id": server_id})


class NotedAction(NamedTuple):
    """Who did a thing to a server in one transaction, from which project, and when."""

    project_id: str | None
    user_id: str | None
    at: datetime


def last_noted(tx: Tx, server_id: str, action: str) -> NotedAction | None:
    """The last time that an action which `note_action` writes down was done to a server; None when it never was."""
    query = select(server_actions.c.project_id, server_actions.c.user_id, server_actions.c.at).where(
        server_actions.c.server_id == server_id, server_actions.c.action == action
    )
    row = tx.execute(query.order_by(server_actions.c.at.desc()).limit(1)).first()
    return None if row is None else NotedAction(row.project_id, row.user_id, row.at)


def _scoped(query: Select[Any], ctx: RequestContext) -> Select[Any]:
    if ctx.all_projects:
        return query
    return query.where(false() if ctx.project_id is None else servers.c.project_id == ctx.project_id)


def _listed(tx: Tx, query: Select[Any], ctx: RequestContext, wanted: ServerFilter, keyset: Keyset) -> Select[Any]:
    query = _scoped(query, ctx).where(*conditions(wanted))
    return page(tx, query, keyset, SORT_KEYS, _scoped(select(servers.c.id), ctx))
