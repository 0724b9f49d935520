"""What a scheduler reads of all hosts every few seconds, who is alive and what is used: raw columns, no facts decoded."""

from __future__ import annotations

from typing import NamedTuple

from sqlalchemy import BigInteger, select, type_coerce

from kilonova.store.database import Tx
from kilonova.store.tables.hosts import hosts


class Pulse(NamedTuple):
    """Columns of all hosts, by number; times in microseconds since 1970, 0 for never."""

    ids: tuple[str, ...] = ()
    vcpus_used: tuple[int, ...] = ()
    ram_mib_used: tuple[int, ...] = ()
    disk_gib_used: tuple[int, ...] = ()
    servers: tuple[int, ...] = ()
    generations: tuple[int, ...] = ()
    disabled: tuple[bool, ...] = ()
    forced_down: tuple[bool, ...] = ()
    seen_at: tuple[int, ...] = ()
    updated_at: tuple[int, ...] = ()


def pulse(tx: Tx) -> Pulse:
    """The fleet's pulse. A change of `ids` or `updated_at` means that facts, zones or ratios may have changed too."""
    seen_at, updated_at = (type_coerce(column, BigInteger) for column in (hosts.c.seen_at, hosts.c.updated_at))
    rows = tx.execute(
        select(
            hosts.c.id, hosts.c.vcpus_used, hosts.c.ram_mib_used, hosts.c.disk_gib_used, hosts.c.servers,
            hosts.c.generation, hosts.c.disabled, hosts.c.forced_down, seen_at, updated_at,
        ).order_by(hosts.c.number)
    ).all()  # fmt: skip
    if not rows:
        return Pulse()
    columns = Pulse(*zip(*rows, strict=True))
    return columns._replace(
        seen_at=tuple(at or 0 for at in columns.seen_at), updated_at=tuple(at or 0 for at in columns.updated_at)
    )
