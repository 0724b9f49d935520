"""
Hosts and what is claimed on them: the one ledger of use.

A claim re-reads the host inside the transaction that places the server, checks that the server still fits, and writes host
counters and claim together by compare-and-swap on the host's generation. So a decision made on an old picture of the fleet can be
late but never wrong, whoever made it.

Two who wait for each other's host would wait for ever. So a claim that comes to nothing lets go of its host at once; a release
locks the host before the claim, and whoever gives back more than that locks the host before all of it (`hold`); and whoever needs
several hosts takes them in the order of their ids.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import BindParameter, bindparam, delete, func, insert, select, update

from kilonova.domain.clock import Ids
from kilonova.domain.host import Host, HostDefaults, HostFacts, HostUse
from kilonova.store.database import Tx
from kilonova.store.queries.counters import next_number
from kilonova.store.tables.hosts import claims, hosts

_LOCK = select(hosts).where(hosts.c.id == bindparam("host_id")).with_for_update()
_LOCK_OF_SERVER = (
    select(hosts)
    .join(claims, claims.c.host_id == hosts.c.id)
    .where(claims.c.server_id == bindparam("server_id"))
    .with_for_update(of=hosts)
)
_NAMES: BindParameter[str] = bindparam("names", expanding=True)
_IN_ORDER = select(hosts.c.id).where(hosts.c.name.in_(_NAMES)).order_by(hosts.c.id).with_for_update(key_share=True)
_COUNT = select(func.count()).select_from(hosts)
_NAMED = select(hosts).where(hosts.c.name == bindparam("host"))
_BOOT_ID = select(hosts.c.boot_id).where(hosts.c.name == bindparam("host"))
_MOVE = update(hosts).where(hosts.c.id == bindparam("host_id"), hosts.c.generation == bindparam("seen_generation"))
_CLAIM_OF = select(claims.c.host_id).where(claims.c.server_id == bindparam("server_id"))
_ADD_CLAIM = insert(claims)
_UNCLAIM = (
    delete(claims)
    .where(claims.c.server_id == bindparam("server_id"), claims.c.host_id == bindparam("host_id"))
    .returning(*claims.c)
)


class Claim(msgspec.Struct, frozen=True, kw_only=True):
    """What one server takes of a host."""

    server_id: str
    vcpus: int
    ram_mib: int
    disk_gib: int


class Joined(msgspec.Struct, frozen=True, kw_only=True):
    """A host that came up: its record now, and whether the machine itself was started anew."""

    host: Host
    was_restarted: bool


def register(
    tx: Tx, name: str, boot_id: str, facts: HostFacts, *, defaults: HostDefaults, ids: Ids, now: datetime
) -> Joined:
    """Write down a host that came up."""
    before = by_name(tx, name)
    if before is None:
        tx.execute(insert(hosts), {
            "id": ids.uuid(), "service_id": ids.uuid(), "number": next_number(tx, "hosts"), "name": name,
            "facts": facts, "vcpus_used": 0, "ram_mib_used": 0, "disk_gib_used": 0, "servers": 0, "generation": 1,
            "disabled": False, "forced_down": False, "boot_id": boot_id, "started_at": now, "seen_at": now,
            "created_at": now, **msgspec.structs.asdict(defaults),
        })  # fmt: skip
    else:
        came = {"facts": facts, "boot_id": boot_id, "started_at": now, "seen_at": now, "updated_at": now}
        tx.execute(update(hosts).where(hosts.c.name == name).values(**came))
    host = by_name(tx, name)
    assert host is not None  # noqa: S101 - written above, in this transaction
    return Joined(host=host, was_restarted=before is not None and before.boot_id != boot_id)


def add(tx: Tx, new: Sequence[Host]) -> None:
    """Write whole records: of hosts that are moved here or made up. One that comes up is written by `register`."""
    tx.execute(insert(hosts), [msgspec.structs.asdict(one) for one in new])


def ran_anew(tx: Tx, name: str, boot_id: str) -> bool:
    """
    Whether a word from this run of the host ("": it does not say) is the first since another run's; it is remembered.

    Words of two runs may come in any order: each change between them is a restart, and the last word is of the run that is.
    """
    if not boot_id:
        return False
    turned = update(hosts).where(hosts.c.name == name, hosts.c.boot_id != boot_id).values(boot_id=boot_id)
    return bool(tx.execute(turned).rowcount)


def runs_as(tx: Tx, name: str, boot_id: str) -> bool:
    """Whether the host is, as far as is known, still in this run of its ("": taken for granted)."""
    return not boot_id or tx.execute(_BOOT_ID, {"host": name}).scalar() == boot_id


def seen(tx: Tx, names: Sequence[str], now: datetime) -> None:
    """These hosts' agents are alive."""
    change(tx, names, seen_at=now)


def change(tx: Tx, names: Sequence[str], **values: Any) -> None:
    """Set columns of these hosts, in the one order that hosts are locked in."""
    those = (hosts.c.name.in_(_NAMES), hosts.c.id.in_(_IN_ORDER))
    tx.execute(update(hosts).where(*those).values(**values), {"names": list(names)})


def claim(tx: Tx, host_id: str, wanted: Claim, now: datetime, *, zone: str | None = None) -> HostUse | None:
    """
    Take what `wanted` says of a host. None, and it is not locked, when it is disabled, no longer fits, or not in `zone` any more.

    Claiming again what is already claimed on this host changes nothing and succeeds.
    """
    with tx.attempt() as attempt:
        use = _claim(tx, host_id, wanted, now, zone)
        if use is not None:
            attempt.done()
        return use


def _claim(tx: Tx, host_id: str, wanted: Claim, now: datetime, zone: str | None) -> HostUse | None:
    row = tx.execute(_LOCK, {"host_id": host_id}).first()
    if row is None:
        return None
    held = tx.execute(_CLAIM_OF, {"server_id": wanted.server_id}).scalar()
    if held is not None:
        return _use(row) if held == host_id else None
    if row.disabled or row.forced_down or zone not in (None, row.zone) or not fits(row, wanted):
        return None
    tx.execute(_ADD_CLAIM, {**msgspec.structs.asdict(wanted), "host_id": host_id, "created_at": now})
    return _move(tx, row, wanted, 1)


def hold(tx: Tx, server_id: str) -> None:
    """Keep the host that a server has a claim on from others until this transaction ends; of none, when it has none."""
    tx.execute(_LOCK_OF_SERVER, {"server_id": server_id})


def release(tx: Tx, server_id: str) -> HostUse | None:
    """Give a server's claim back. None when it has none."""
    host = tx.execute(_LOCK_OF_SERVER, {"server_id": server_id}).first()
    row = None if host is None else tx.execute(_UNCLAIM, {"server_id": server_id, "host_id": host.id}).first()
    if host is None or row is None:
        return None
    held = Claim(server_id=server_id, vcpus=row.vcpus, ram_mib=row.ram_mib, disk_gib=row.disk_gib)
    return _move(tx, host, held, -1)


def fits(row: Any, wanted: Claim) -> bool:
    """Whether a host, as a row or a `Host`, has room for a claim within its ratios and reserves, and is large enough at all."""
    facts: HostFacts = row.facts
    return bool(
        wanted.vcpus <= facts.vcpus
        and wanted.ram_mib <= facts.ram_mib
        and row.vcpus_used + wanted.vcpus <= facts.vcpus * row.cpu_ratio
        and row.ram_mib_used + wanted.ram_mib <= (facts.ram_mib - row.ram_mib_reserved) * row.ram_ratio
        and row.disk_gib_used + wanted.disk_gib <= (facts.disk_gib - row.disk_gib_reserved) * row.disk_ratio
    )


def every(tx: Tx) -> list[Host]:
    """All hosts, by number."""
    return [_host(row) for row in tx.execute(select(hosts).order_by(hosts.c.number))]


def count(tx: Tx) -> int:
    """How many hosts there are."""
    return int(tx.execute(_COUNT).scalar_one())


def by_name(tx: Tx, name: str) -> Host | None:
    """A host by its name."""
    row = tx.execute(_NAMED, {"host": name}).first()
    return None if row is None else _host(row)


def lock(tx: Tx, name: str) -> Host | None:
    """A host by its name, with nothing claimed there until this transaction ends."""
    row = tx.execute(_NAMED.with_for_update(), {"host": name}).first()
    return None if row is None else _host(row)


def lock_some(tx: Tx, names: Sequence[str]) -> None:
    """Keep these hosts from others until this transaction ends."""
    tx.execute(_IN_ORDER, {"names": list(names)})


def _move(tx: Tx, row: Any, amount: Claim, sign: int) -> HostUse:
    use = HostUse(
        host_id=row.id, generation=row.generation + 1, vcpus_used=row.vcpus_used + sign * amount.vcpus,
        ram_mib_used=row.ram_mib_used + sign * amount.ram_mib, disk_gib_used=row.disk_gib_used + sign * amount.disk_gib,
        servers=row.servers + sign,
    )  # fmt: skip
    moved = tx.execute(_MOVE, {**msgspec.structs.asdict(use), "seen_generation": row.generation})
    if moved.rowcount != 1:
        raise RuntimeError(f"host {row.id} changed under its lock")
    return use


def _use(row: Any) -> HostUse:
    return HostUse(
        host_id=row.id, generation=row.generation, vcpus_used=row.vcpus_used, ram_mib_used=row.ram_mib_used,
        disk_gib_used=row.disk_gib_used, servers=row.servers,
    )  # fmt: skip


def _host(row: Any) -> Host:
    return Host(**row._mapping)  # noqa: SLF001 - SQLAlchemy's documented row accessor
