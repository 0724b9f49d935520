"""The log of what hosts must still be told of networks, ports and security groups; and the generations that tellings raise."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import BindParameter, bindparam, delete, func, insert, or_, select, type_coerce, update

from kilonova.store.database import Tx
from kilonova.store.queries import network_rows
from kilonova.store.tables.network import (
    fixed_ips,
    network_changes,
    networks,
    port_groups,
    ports,
    security_group_rules,
    security_groups,
)
from kilonova.store.types import Instant

NETWORK, GROUP, PORT = "network", "group", "port"
_MOST = 5000  # told in one go
_IDS: BindParameter[str] = bindparam("ids", expanding=True)
_LOG = network_changes.c
_WAITING = select(_LOG.kind, _LOG.thing_id, type_coerce(func.min(_LOG.at), Instant)).group_by(_LOG.kind, _LOG.thing_id)
# Those that another teller holds at this moment are its own to tell.
_SOME = (
    select(_LOG.id, _LOG.kind, _LOG.thing_id, _LOG.network_id, _LOG.about)
    .where(_LOG.thing_id.in_(_IDS))
    .order_by(_LOG.id)
    .limit(_MOST)
    .with_for_update(skip_locked=True)
)
_DROP = delete(network_changes).where(_LOG.id.in_(_IDS))
_TABLES = {NETWORK: networks, GROUP: security_groups}
_RAISE = {
    kind: update(table)
    .where(table.c.id == bindparam("thing_id"))
    .values(generation=table.c.generation + 1, generation_at=bindparam("now"))
    for kind, table in _TABLES.items()
}
_STANDINGS = {
    kind: select(table.c.id, table.c.generation, table.c.generation_at).where(table.c.id.in_(_IDS))
    for kind, table in _TABLES.items()
}
_NAMING = select(security_group_rules.c.group_id).where(security_group_rules.c.remote_group == bindparam("thing_id"))
_HOSTS_SHARING = {
    NETWORK: select(func.count(ports.c.host.distinct())).where(ports.c.network_id == bindparam("thing_id")),
    GROUP: select(func.count(ports.c.host.distinct()))
    .join(port_groups, port_groups.c.port_id == ports.c.id)
    .where(or_(port_groups.c.group_id == bindparam("thing_id"), port_groups.c.group_id.in_(_NAMING))),
}
_MEMBERS = (
    select(ports.c.network_id, fixed_ips.c.address)
    .join(fixed_ips, fixed_ips.c.port_id == ports.c.id)
    .join(port_groups, port_groups.c.port_id == ports.c.id)
    .where(
        port_groups.c.group_id == bindparam("group_id"), fixed_ips.c.address.in_(bindparam("addresses", expanding=True))
    )
)


class Entry(NamedTuple):
    """
    One entry of the log. `about`: of a group a member's address on the network, of a network a host; either may have come or
    gone. Empty: the thing itself changed.
    """

    kind: str
    thing_id: str
    network_id: str = ""
    about: str = ""


class Waiting(NamedTuple):
    """A network, group or port that something is to be told of, and since when."""

    kind: str
    thing_id: str
    since: datetime


class Standing(NamedTuple):
    """A network's or group's generation, and since when it has it."""

    id: str
    generation: int
    since: datetime | None


def note(tx: Tx, entries: Iterable[Entry], now: datetime) -> None:
    """Write down what hosts must be told once this transaction is committed."""
    rows = [{**entry._asdict(), "at": now} for entry in dict.fromkeys(entries)]
    if rows:
        tx.execute(insert(network_changes), rows)


def waiting(tx: Tx) -> list[Waiting]:
    """What waits to be told, by what it is about."""
    return [Waiting(*row) for row in network_rows.tuples(tx, _WAITING)]


def take(tx: Tx, thing_ids: Collection[str]) -> list[Entry]:
    """Take entries about these out of the log, the oldest first, each once. With this transaction they are gone."""
    found = tx.execute(_SOME, {"ids": list(thing_ids)}).all()
    if found:
        tx.execute(_DROP, {"ids": [row.id for row in found]})
    return list(dict.fromkeys(Entry(row.kind, row.thing_id, row.network_id, row.about) for row in found))


def hosts_sharing(tx: Tx, kind: str, thing_id: str) -> int:
    """On how many hosts a network has ports; or ports are in a group, or in one whose rules name it."""
    return int(tx.execute(_HOSTS_SHARING[kind], {"thing_id": thing_id}).scalar_one())


def raise_generations(tx: Tx, kind: str, ids: Iterable[str], now: datetime) -> dict[str, int]:
    """These networks or groups are one generation on; by id, which it is. Those that are no more are left out."""
    wanted = sorted(set(ids))  # in one order, whoever else raises some of them
    if not wanted:
        return {}
    tx.execute(_RAISE[kind], [{"thing_id": ident, "now": now} for ident in wanted])
    return {one.id: one.generation for one in standings(tx, kind, wanted)}


def standings(tx: Tx, kind: str, ids: Collection[str]) -> list[Standing]:
    """Where each of these networks or groups stands; those that are no more are left out."""
    return [Standing(*row) for row in network_rows.tuples(tx, _STANDINGS[kind], {"ids": list(ids)})] if ids else []


def members_among(tx: Tx, group_id: str, addresses: Sequence[str]) -> set[tuple[str, str]]:
    """Which of these addresses are a group's members', each with its network."""
    return {tuple(row) for row in network_rows.tuples(tx, _MEMBERS, {"group_id": group_id, "addresses": addresses})}
