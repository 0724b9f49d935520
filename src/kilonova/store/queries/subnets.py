"""
Subnets, and the ledger of their addresses.

Whoever gives an address first locks the subnets it may come from (`lock_for_network`, in the order of their ids, so that two
cannot wait for each other), then looks for a free one (`taken`), then writes it. The ledger's primary key refuses what would
still go wrong.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import ColumnElement, bindparam, exists, func, insert, or_, select, true, update

from kilonova.domain.context import RequestContext
from kilonova.domain.network import FixedIp, Subnet
from kilonova.store.database import Tx
from kilonova.store.queries import network_rows
from kilonova.store.queries.network_rows import Listing
from kilonova.store.tables.network import fixed_ips, networks, subnets

_COLUMNS = network_rows.columns_of(subnets, Subnet)
_CONDITIONS = network_rows.tag_conditions(subnets.c.tags)
_OF_NETWORKS = select(networks.c.id)
_ON = subnets.c.network_id.in_(bindparam("ids", expanding=True))
_ON_NETWORKS = select(*_COLUMNS).where(_ON).order_by(subnets.c.created_at, subnets.c.id)
_LOCK_ON_NETWORKS = select(*_COLUMNS, subnets.c.cursor).where(_ON).order_by(subnets.c.id).with_for_update()
_MOVE_CURSOR = update(subnets).where(subnets.c.id == bindparam("subnet_id"))
_TAKEN = select(fixed_ips.c.address).where(
    fixed_ips.c.subnet_id == bindparam("subnet_id"), fixed_ips.c.address.in_(bindparam("addresses", expanding=True))
)
_GIVE = insert(fixed_ips)


class Pool(msgspec.Struct, frozen=True):
    """A subnet that addresses are given from; `cursor` is the last one given, as a number."""

    subnet: Subnet
    cursor: int | None


def visible(ctx: RequestContext) -> ColumnElement[bool]:
    """A project sees its own subnets, those on its networks, and those on shared ones."""
    if ctx.all_projects:
        return true()
    mine = ctx.project_id or ""
    on = _OF_NETWORKS.where(or_(networks.c.project_id == mine, networks.c.shared))
    return or_(subnets.c.project_id == mine, subnets.c.network_id.in_(on))


def create(tx: Tx, subnet: Subnet) -> None:
    """Write a new subnet."""
    tx.execute(insert(subnets), network_rows.row_of(subnets, subnet))


def find(tx: Tx, ctx: RequestContext, subnet_id: str, *, lock: bool = False) -> Subnet | None:
    """One subnet the caller may see, or None. `lock`: nobody else changes it, or gives its addresses, until this ends."""
    query = select(*_COLUMNS).where(subnets.c.id == subnet_id, visible(ctx))
    row = tx.execute(query.with_for_update() if lock else query).first()
    return None if row is None else network_rows.thing(Subnet, row)


def page(tx: Tx, ctx: RequestContext, listing: Listing) -> list[Subnet]:
    """The subnets a listing asks for, of those the caller may see."""
    rows = network_rows.page(tx, select(*_COLUMNS).where(visible(ctx)), subnets, listing, _CONDITIONS)
    return [network_rows.thing(Subnet, row) for row in rows]


def change(tx: Tx, subnet_id: str, changes: Mapping[str, Any], now: datetime) -> None:
    """Write changed columns."""
    network_rows.change(tx, subnets, subnet_id, changes, now)


def delete(tx: Tx, subnet_id: str) -> None:
    """Delete a subnet; no port may have an address of it."""
    network_rows.remove(tx, subnets, subnet_id)


def of_networks(tx: Tx, network_ids: Iterable[str]) -> dict[str, list[Subnet]]:
    """The subnets on each network, oldest first."""
    wanted = set(network_ids)
    found: dict[str, list[Subnet]] = {network_id: [] for network_id in wanted}
    for row in tx.execute(_ON_NETWORKS, {"ids": list(wanted)}):
        found[row.network_id].append(network_rows.thing(Subnet, row))
    return found


def lock_for_networks(tx: Tx, network_ids: Collection[str]) -> dict[str, list[Pool]]:
    """The subnets on each network, oldest first, kept from others until this transaction ends."""
    found: dict[str, list[Pool]] = {network_id: [] for network_id in network_ids}
    for row in tx.execute(_LOCK_ON_NETWORKS, {"ids": list(found)}):
        fields = dict(row._mapping)  # noqa: SLF001 - SQLAlchemy's documented row accessor
        cursor = fields.pop("cursor")
        found[row.network_id].append(Pool(Subnet(**fields), None if cursor is None else int.from_bytes(cursor)))
    for pools in found.values():
        pools.sort(key=lambda pool: (pool.subnet.created_at, pool.subnet.id))
    return found


def move_cursor(tx: Tx, subnet_id: str, given: int) -> None:
    """Remember the last address given."""
    tx.execute(_MOVE_CURSOR, {"subnet_id": subnet_id, "cursor": given.to_bytes(16)})


def taken(tx: Tx, subnet_id: str, addresses: Sequence[str]) -> set[str]:
    """Which of these addresses are given to somebody."""
    return set(tx.execute(_TAKEN, {"subnet_id": subnet_id, "addresses": addresses}).scalars())


def give(tx: Tx, port_id: str, addresses: Sequence[FixedIp]) -> None:
    """Write down whose these addresses are now."""
    if addresses:
        tx.execute(_GIVE, [
            {"port_id": port_id, "subnet_id": one.subnet_id, "address": one.address, "position": position}
            for position, one in enumerate(addresses)
        ])  # fmt: skip


def given(tx: Tx, subnet_ids: Sequence[str]) -> dict[str, list[str]]:
    """Every address given from each of these subnets."""
    query = select(fixed_ips.c.subnet_id, fixed_ips.c.address).where(fixed_ips.c.subnet_id.in_(subnet_ids))
    found: dict[str, list[str]] = {subnet_id: [] for subnet_id in subnet_ids}
    for subnet_id, address in network_rows.tuples(tx, query):
        found[subnet_id].append(address)
    return found


def count_given(tx: Tx, subnet_id: str) -> int:
    """How many addresses of a subnet are given."""
    query = select(func.count()).select_from(fixed_ips).where(fixed_ips.c.subnet_id == subnet_id)
    return int(tx.execute(query).scalar_one())


def is_used(tx: Tx, subnet_id: str) -> bool:
    """Whether some port has an address of it."""
    query = select(fixed_ips.c.port_id).where(fixed_ips.c.subnet_id == subnet_id)
    return bool(tx.execute(select(exists(query))).scalar())
