"""Which hosts share a VXLAN network, and where their tunnels end."""

from __future__ import annotations

from collections.abc import Iterable

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
_ENDS = (
    select(ports.c.network_id, type_coerce(hosts.c.facts, Json(_Facts)))
    .join(hosts, hosts.c.name == ports.c.host)
    .where(ports.c.network_id.in_(_IDS))
    .distinct()
)
_IS_VXLAN = and_(networks.c.id == ports.c.network_id, networks.c.kind == "vxlan")
_ON_HOST = select(ports.c.network_id).join(networks, _IS_VXLAN).where(ports.c.host == bindparam("host")).distinct()
_OTHER = ports.alias("other")
_TOUCHED = (
    select(ports.c.network_id)
    .join(networks, _IS_VXLAN)
    .where(
        ports.c.device_id == bindparam("server_id"),
        ports.c.host.is_not(None),
        or_(
            not_(ports.c.made_by_compute),
            not_(
                exists(
                    select(_OTHER.c.id).where(
                        _OTHER.c.network_id == ports.c.network_id,
                        _OTHER.c.host == ports.c.host,
                        _OTHER.c.device_id != ports.c.device_id,
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


def on_host(tx: Tx, host: str) -> set[str]:
    """The VXLAN networks of which a host has ports."""
    return set(tx.execute(_ON_HOST, {"host": host}).scalars())


def touched(tx: Tx, server_id: str) -> set[str]:
    """
    The VXLAN networks whose other hosts must hear of this server's ports.

    That is where they are the only ones on their host, and where a port is a user's own: it may have been elsewhere before, and
    other hosts may have learnt its MAC there.
    """
    return set(tx.execute(_TOUCHED, {"server_id": server_id}).scalars())
