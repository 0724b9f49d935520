"""Which hosts share a VXLAN network, and where their tunnels end."""

from __future__ import annotations

from collections.abc import Collection, Iterable

import msgspec
from sqlalchemy import BindParameter, and_, bindparam, exists, not_, or_, select, type_coerce

from kilonova.store.database import Tx
from kilonova.store.queries import network_rows
from kilonova.store.tables.hosts import hosts
from kilonova.store.tables.network import networks, ports
from kilonova.store.types import Json


class _Facts(msgspec.Struct):
    """Of a host's facts, what is asked for here."""

    tunnel_ip: str = ""


_IDS: BindParameter[str] = bindparam("ids", expanding=True)
_HOSTS: BindParameter[str] = bindparam("hosts", expanding=True)
_ENDS = (
    select(ports.c.network_id, type_coerce(hosts.c.facts, Json(_Facts)))
    .join(hosts, hosts.c.name == ports.c.host)
    .where(ports.c.network_id.in_(_IDS))
    .distinct()
)
_FACTS = select(hosts.c.name, type_coerce(hosts.c.facts, Json(_Facts))).where(hosts.c.name.in_(_HOSTS))
_SHARING = (
    select(ports.c.host).where(ports.c.network_id == bindparam("network_id"), ports.c.host.in_(_HOSTS)).distinct()
)
_IS_VXLAN = and_(networks.c.id == ports.c.network_id, networks.c.kind == "vxlan")
_ON_HOST = select(ports.c.network_id).join(networks, _IS_VXLAN).where(ports.c.host == bindparam("host")).distinct()
_OTHER = ports.alias("other")
_KNOWN_ON = (
    select(ports.c.network_id)
    .where(ports.c.host == bindparam("host"), ports.c.network_id.in_(_IDS), ports.c.status == "ACTIVE")
    .distinct()
)
_TOUCHED = (
    select(ports.c.network_id, ports.c.host)
    .join(networks, _IS_VXLAN)
    .where(
        ports.c.server_id == bindparam("server_id"),
        ports.c.host.is_not(None),
        or_(
            not_(ports.c.made_by_compute),
            not_(
                exists(
                    select(_OTHER.c.id).where(
                        _OTHER.c.network_id == ports.c.network_id,
                        _OTHER.c.host == ports.c.host,
                        _OTHER.c.server_id != ports.c.server_id,
                    )
                )
            ),
        ),
    )
    .distinct()
)


def ends(tx: Tx, network_ids: Iterable[str]) -> dict[str, tuple[str, ...]]:
    """For each network, the tunnel addresses of the hosts that have ports of it."""
    found: dict[str, set[str]] = {network_id: set() for network_id in network_ids}
    if found:
        for network_id, facts in network_rows.tuples(tx, _ENDS, {"ids": list(found)}):
            if facts.tunnel_ip:
                found[network_id].add(facts.tunnel_ip)
    return {network_id: tuple(sorted(addresses)) for network_id, addresses in found.items()}


def addresses(tx: Tx, hosts_named: Collection[str]) -> dict[str, str]:
    """The tunnel addresses of these hosts; those that have none are left out."""
    found = network_rows.tuples(tx, _FACTS, {"hosts": list(hosts_named)})
    return {name: facts.tunnel_ip for name, facts in found if facts.tunnel_ip}


def sharing(tx: Tx, network_id: str, hosts_named: Collection[str]) -> set[str]:
    """Which of these hosts have ports of a network."""
    return set(tx.execute(_SHARING, {"network_id": network_id, "hosts": list(hosts_named)}).scalars())


def known_on(tx: Tx, host: str, network_ids: Collection[str]) -> set[str]:
    """Which of these networks a host has for sure: some port of it was reported to run there."""
    return set(tx.execute(_KNOWN_ON, {"host": host, "ids": list(network_ids)}).scalars())


def on_host(tx: Tx, host: str) -> set[str]:
    """The VXLAN networks of which a host has ports."""
    return set(tx.execute(_ON_HOST, {"host": host}).scalars())


def touched(tx: Tx, server_id: str) -> set[tuple[str, str]]:
    """
    The VXLAN networks, each with its host, whose other hosts must hear of this server's ports.

    That is where they are the only ones on their host, and where a port is a user's own: it may have been elsewhere before, and
    other hosts may have learnt its MAC there.
    """
    return {(network_id, host) for network_id, host in network_rows.tuples(tx, _TOUCHED, {"server_id": server_id})}
