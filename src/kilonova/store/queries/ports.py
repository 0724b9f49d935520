"""Ports with their addresses and groups, which lie in tables of their own and are read in two more statements for any number."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import (
    BindParameter,
    ColumnElement,
    bindparam,
    delete,
    false,
    insert,
    or_,
    select,
    true,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite

from kilonova.domain.context import RequestContext
from kilonova.domain.network import FixedIp, Port, ServerAddress
from kilonova.store.database import Tx
from kilonova.store.queries import network_rows
from kilonova.store.queries.network_rows import Listing
from kilonova.store.queries.text import contains, fold, folded, in_order
from kilonova.store.tables.compute import servers
from kilonova.store.tables.network import fixed_ips, networks, port_groups, ports, security_groups

_COLUMNS = network_rows.columns_of(ports, Port)
_IDS: BindParameter[str] = bindparam("ids", expanding=True)
_IS_OF_SERVER = ports.c.server_id == bindparam("whose")
_OF_SERVER = select(*_COLUMNS).where(_IS_OF_SERVER).order_by(ports.c.nic_order, ports.c.id)
_NETWORKS_ON = select(ports.c.network_id).where(ports.c.host == bindparam("host")).distinct()
_CHANGE_OF_SERVER = update(ports).where(_IS_OF_SERVER).values(revision=ports.c.revision + 1)
_INSERTS = {
    dialect.dialect.name: dialect.insert(ports)
    .on_conflict_do_nothing(index_elements=["network_id", "mac"])
    .returning(ports.c.id)
    for dialect in (postgresql, sqlite)
}
_JOIN = insert(port_groups)
_ITS_ADDRESSES = (
    select(fixed_ips.c.port_id, fixed_ips.c.subnet_id, fixed_ips.c.address)
    .where(fixed_ips.c.port_id.in_(_IDS))
    .order_by(fixed_ips.c.position)
)
_ITS_GROUPS = (
    select(port_groups.c.port_id, port_groups.c.group_id)
    .where(port_groups.c.port_id.in_(_IDS))
    .order_by(port_groups.c.group_id)
)
_HOSTNAMES = select(servers.c.id, servers.c.hostname).where(servers.c.id.in_(_IDS))
_ADDRESSES = (
    select(ports.c.server_id, networks.c.name, fixed_ips.c.address, ports.c.mac)
    .join(fixed_ips, fixed_ips.c.port_id == ports.c.id)
    .join(networks, networks.c.id == ports.c.network_id)
    .where(ports.c.server_id.in_(_IDS))
    .order_by(ports.c.nic_order, ports.c.id, fixed_ips.c.position)
)
_GROUP_NAME = in_order(security_groups.c.name)
_GROUP_NAMES = (
    select(ports.c.server_id, _GROUP_NAME, security_groups.c.id)
    .join(port_groups, port_groups.c.port_id == ports.c.id)
    .join(security_groups, security_groups.c.id == port_groups.c.group_id)
    .where(ports.c.server_id.in_(_IDS))
    .distinct()
    .order_by(_GROUP_NAME, security_groups.c.id)
)


def visible(ctx: RequestContext) -> ColumnElement[bool]:
    """A project sees its own ports, and all that are on its networks."""
    if ctx.all_projects:
        return true()
    mine = ctx.project_id or ""
    return or_(
        ports.c.project_id == mine, ports.c.network_id.in_(select(networks.c.id).where(networks.c.project_id == mine))
    )


def create(tx: Tx, port: Port) -> bool:
    """Write a new port with its groups; its addresses are given apart. False when its MAC is in use on the network."""
    insert_into = _INSERTS[tx.connection.dialect.name]
    is_made = tx.execute(insert_into, network_rows.row_of(ports, port)).first() is not None
    if is_made:
        join_groups(tx, port.id, port.security_groups)
    return is_made


def has_mac(tx: Tx, network_id: str, mac: str) -> bool:
    """Whether a port of the network has this MAC."""
    query = select(ports.c.id).where(ports.c.network_id == network_id, ports.c.mac == mac)
    return tx.execute(query).first() is not None


def join_groups(tx: Tx, port_id: str, group_ids: Iterable[str]) -> None:
    """Put a port into groups."""
    rows = [{"port_id": port_id, "group_id": group_id} for group_id in group_ids]
    if rows:
        tx.execute(_JOIN, rows)


def set_groups(tx: Tx, port_id: str, group_ids: Iterable[str]) -> None:
    """Put a port into these groups and no others."""
    tx.execute(delete(port_groups).where(port_groups.c.port_id == port_id))
    join_groups(tx, port_id, group_ids)


def take_addresses(tx: Tx, port_id: str) -> None:
    """Take all its addresses from a port."""
    tx.execute(delete(fixed_ips).where(fixed_ips.c.port_id == port_id))


def find(tx: Tx, ctx: RequestContext, port_id: str, *, lock: bool = False) -> Port | None:
    """One port the caller may see, or None. `lock`: nobody else changes it until this transaction ends."""
    query = select(*_COLUMNS).where(ports.c.id == port_id, visible(ctx))
    found = _ports(tx, tx.execute(query.with_for_update() if lock else query).all())
    return found[0] if found else None


def page(tx: Tx, ctx: RequestContext, listing: Listing) -> list[Port]:
    """The ports a listing asks for, of those the caller may see."""
    return _ports(tx, network_rows.page(tx, select(*_COLUMNS).where(visible(ctx)), ports, listing, _CONDITIONS))


def by_ids(tx: Tx, port_ids: Iterable[str], *, lock: bool = False) -> dict[str, Port]:
    """Ports by id, whoever owns them."""
    query = select(*_COLUMNS).where(ports.c.id.in_(set(port_ids))).order_by(ports.c.id)
    return {port.id: port for port in _ports(tx, tx.execute(query.with_for_update() if lock else query).all())}


def own(tx: Tx, ctx: RequestContext, port_ids: Iterable[str]) -> dict[str, Port]:
    """Those of these ports that are the caller's, by id: others' are not looked at, whosever network they are on."""
    query = select(*_COLUMNS).where(ports.c.id.in_(set(port_ids)))
    query = query if ctx.all_projects else query.where(ports.c.project_id == (ctx.project_id or ""))
    return {port.id: port for port in _ports(tx, tx.execute(query).all())}


def of_server(tx: Tx, server_id: str) -> list[Port]:
    """A server's ports in the order of its interfaces."""
    return _ports(tx, tx.execute(_OF_SERVER, {"whose": server_id}).all())


def on_host(tx: Tx, host: str) -> list[Port]:
    """Every port bound to a host."""
    return _ports(tx, tx.execute(select(*_COLUMNS).where(ports.c.host == host).order_by(ports.c.id)).all())


def networks_on(tx: Tx, host: str) -> set[str]:
    """The networks of which a host has ports."""
    return set(tx.execute(_NETWORKS_ON, {"host": host}).scalars())


def change(tx: Tx, port_id: str, changes: Mapping[str, Any], now: datetime) -> None:
    """Write changed columns."""
    network_rows.change(tx, ports, port_id, changes, now)


def change_of_server(tx: Tx, server_id: str, changes: Mapping[str, Any], now: datetime) -> int:
    """Write changed columns of all a server's ports; how many they are."""
    return tx.execute(_CHANGE_OF_SERVER, {"whose": server_id, **changes, "updated_at": now}).rowcount


def delete_one(tx: Tx, port_id: str) -> None:
    """Delete a port; its addresses are free again."""
    network_rows.remove(tx, ports, port_id)


def delete_made(tx: Tx, server_id: str) -> None:
    """Delete the ports that Kilonova made for a server."""
    tx.execute(delete(ports).where(ports.c.server_id == server_id, ports.c.made_by_compute))


def addresses(tx: Tx, server_ids: Sequence[str]) -> dict[str, list[ServerAddress]]:
    """Each server's addresses, in the order of its interfaces."""
    found: dict[str, list[ServerAddress]] = {server_id: [] for server_id in server_ids}
    for server_id, network, address, mac in network_rows.tuples(tx, _ADDRESSES, {"ids": server_ids}):
        found[server_id].append(ServerAddress(network, address, 6 if ":" in address else 4, mac))
    return found


def group_names(tx: Tx, server_ids: Sequence[str]) -> dict[str, list[str]]:
    """The names of the groups that each server's ports are in, each group once, in the order of names."""
    found: dict[str, list[str]] = {server_id: [] for server_id in server_ids}
    for server_id, name, _ in network_rows.tuples(tx, _GROUP_NAMES, {"ids": server_ids}):
        found[server_id].append(name)
    return found


def hostnames(tx: Tx, server_ids: Iterable[str]) -> dict[str, str]:
    """What each server calls itself."""
    return {row.id: row.hostname for row in tx.execute(_HOSTNAMES, {"ids": list(set(server_ids))})}


def _ports(tx: Tx, rows: Sequence[Any]) -> list[Port]:
    ids = [row.id for row in rows]
    ips: dict[str, list[FixedIp]] = {ident: [] for ident in ids}
    groups: dict[str, list[str]] = {ident: [] for ident in ids}
    if ids:
        for port_id, subnet_id, address in network_rows.tuples(tx, _ITS_ADDRESSES, {"ids": ids}):
            ips[port_id].append(FixedIp(subnet_id, address))
        for port_id, group_id in network_rows.tuples(tx, _ITS_GROUPS, {"ids": ids}):
            groups[port_id].append(group_id)
    return [
        network_rows.thing(Port, row, fixed_ips=tuple(ips[row.id]), security_groups=tuple(groups[row.id]))
        for row in rows
    ]


def _with_address(values: Sequence[str]) -> ColumnElement[bool]:
    """Neutron's `fixed_ips` filter: `ip_address=…`, `ip_address_substr=…`, `subnet_id=…`; of several words, one each."""
    by_word: dict[str, list[str]] = {}
    for value in values:
        word, _, text = value.partition("=")
        by_word.setdefault(word, []).append(text)
    tests: dict[str, network_rows.Condition] = {
        "ip_address": fixed_ips.c.address.in_,
        "ip_address_substr": lambda texts: or_(*(contains(fixed_ips.c.address, text) for text in texts)),
        "subnet_id": fixed_ips.c.subnet_id.in_,
    }
    wanted = [tests[word](texts) if word in tests else false() for word, texts in by_word.items()]
    return ports.c.id.in_(select(fixed_ips.c.port_id).where(*wanted))


def _in_groups(values: Sequence[str]) -> ColumnElement[bool]:
    return ports.c.id.in_(select(port_groups.c.port_id).where(port_groups.c.group_id.in_(values)))


_CONDITIONS = {
    **network_rows.tag_conditions(ports.c.tags),
    "fixed_ips": _with_address,
    "security_groups": _in_groups,
    "mac": lambda values: folded(ports.c.mac).in_(map(fold, values)),
}
