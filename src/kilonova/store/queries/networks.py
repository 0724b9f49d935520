"""Networks: who sees which, and which a server can be put on."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, bindparam, exists, false, or_, select, true, update
from sqlalchemy.dialects import postgresql, sqlite

from kilonova.domain.context import RequestContext
from kilonova.domain.network import Network
from kilonova.store.database import Tx
from kilonova.store.queries import network_rows
from kilonova.store.queries.network_rows import Listing
from kilonova.store.queries.text import in_order
from kilonova.store.tables.hosts import hosts
from kilonova.store.tables.network import networks, ports, subnets

_COLUMNS = network_rows.columns_of(networks, Network)
_BY_IDS = select(*_COLUMNS).where(networks.c.id.in_(bindparam("ids", expanding=True)))
_ZONE = in_order(hosts.c.zone)
_AVAILABLE = (
    select(*_COLUMNS)
    .where(or_(networks.c.project_id == bindparam("whose"), networks.c.shared))
    .order_by(networks.c.created_at, networks.c.id)
)
_INSERTS = {
    dialect.dialect.name: dialect.insert(networks)
    .on_conflict_do_nothing(index_elements=["kind", "segment"], index_where=networks.c.segment.is_not(None))
    .returning(networks.c.id)
    for dialect in (postgresql, sqlite)
}
_RENEW = update(networks).where(networks.c.id == bindparam("network_id")).values(generation=networks.c.generation + 1)
# A network is ready as soon as it is written; hosts make their share of it when they need it.
STATUS = "ACTIVE"
_CONDITIONS: dict[str, network_rows.Condition] = {
    **network_rows.tag_conditions(networks.c.tags),
    "status": lambda values: true() if STATUS in values else false(),
}


def visible(ctx: RequestContext) -> ColumnElement[bool]:
    """A project sees its own networks, shared ones and external ones."""
    if ctx.all_projects:
        return true()
    return or_(networks.c.project_id == (ctx.project_id or ""), networks.c.shared, networks.c.external)


def create(tx: Tx, network: Network) -> bool:
    """Write a new network. False when another of its kind has its segment."""
    insert_into = _INSERTS[tx.connection.dialect.name]
    return tx.execute(insert_into, network_rows.row_of(networks, network)).first() is not None


def segments(tx: Tx, kind: str, first: int, last: int) -> set[int]:
    """The segments between these that networks of a kind have."""
    query = select(networks.c.segment).where(networks.c.kind == kind, networks.c.segment.between(first, last))
    return {int(segment) for segment in tx.execute(query).scalars()}


def renew(tx: Tx, network_id: str) -> None:
    """What hosts are told of the network changes: it is of the next generation."""
    tx.execute(_RENEW, {"network_id": network_id})


def find(tx: Tx, ctx: RequestContext, network_id: str, *, lock: bool = False) -> Network | None:
    """One network the caller may see, or None. `lock`: nobody else changes it until this transaction ends."""
    query = select(*_COLUMNS).where(networks.c.id == network_id, visible(ctx))
    row = tx.execute(query.with_for_update() if lock else query).first()
    return None if row is None else network_rows.thing(Network, row)


def keep(tx: Tx, ctx: RequestContext, network_id: str) -> Network | None:
    """As `find`; nobody deletes it until this transaction ends. Those who put ports on it do not wait for each other."""
    query = select(*_COLUMNS).where(networks.c.id == network_id, visible(ctx))
    row = tx.execute(query.with_for_update(read=True, key_share=True)).first()
    return None if row is None else network_rows.thing(Network, row)


def page(tx: Tx, ctx: RequestContext, listing: Listing) -> list[Network]:
    """The networks a listing asks for, of those the caller may see."""
    rows = network_rows.page(tx, select(*_COLUMNS).where(visible(ctx)), networks, listing, _CONDITIONS)
    return [network_rows.thing(Network, row) for row in rows]


def change(tx: Tx, network_id: str, changes: Mapping[str, Any], now: datetime) -> None:
    """Write changed columns."""
    network_rows.change(tx, networks, network_id, changes, now)


def delete(tx: Tx, network_id: str) -> None:
    """Delete a network and its subnets; it must have no ports."""
    network_rows.remove(tx, networks, network_id)


def by_ids(tx: Tx, network_ids: Iterable[str]) -> dict[str, Network]:
    """Networks by id, whoever owns them."""
    rows = tx.execute(_BY_IDS, {"ids": list(set(network_ids))})
    return {row.id: network_rows.thing(Network, row) for row in rows}


def seen(tx: Tx, ctx: RequestContext, network_ids: Iterable[str]) -> dict[str, Network]:
    """Those of these networks that the caller may see, by id."""
    rows = tx.execute(select(*_COLUMNS).where(networks.c.id.in_(set(network_ids)), visible(ctx)))
    return {row.id: network_rows.thing(Network, row) for row in rows}


def available(tx: Tx, project_id: str) -> list[Network]:
    """What a project's servers can be put on without being told: its own networks and shared ones."""
    return [network_rows.thing(Network, row) for row in tx.execute(_AVAILABLE, {"whose": project_id})]


def default(tx: Tx) -> Network | None:
    """The network that is everybody's default, the oldest when there are several."""
    query = select(*_COLUMNS).where(networks.c.is_default, networks.c.shared)
    row = tx.execute(query.order_by(networks.c.created_at, networks.c.id).limit(1)).first()
    return None if row is None else network_rows.thing(Network, row)


def zones(tx: Tx) -> list[str]:
    """The availability zones that have hosts; each serves every network."""
    return list(tx.execute(select(_ZONE).distinct().order_by(_ZONE)).scalars())


def subnet_ids(tx: Tx, network_ids: Sequence[str]) -> dict[str, list[str]]:
    """The subnets of each network, oldest first."""
    query = select(subnets.c.network_id, subnets.c.id).where(subnets.c.network_id.in_(network_ids))
    found: dict[str, list[str]] = {network_id: [] for network_id in network_ids}
    for network_id, subnet_id in network_rows.tuples(tx, query.order_by(subnets.c.created_at, subnets.c.id)):
        found[network_id].append(subnet_id)
    return found


def has_ports(tx: Tx, network_id: str, *, not_of: str | None = None) -> bool:
    """Whether there are ports on it; with `not_of`, ports of any other project than that."""
    query = select(ports.c.id).where(ports.c.network_id == network_id)
    if not_of is not None:
        query = query.where(ports.c.project_id != not_of)
    return bool(tx.execute(select(exists(query))).scalar())
