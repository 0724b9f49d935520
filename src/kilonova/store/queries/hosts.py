"""
Hosts and what servers are allocated on them: the one ledger of use.

A claim re-reads the host inside the transaction that places the server, checks that the server still fits, and writes host
counters and claim together by compare-and-swap on the host's generation. So a decision made on an old picture of the fleet can be
late but never wrong, whoever made it.

A server has an allocation on each host that it has to do with (`AllocationRole`), and a host's machine without one is a stray.

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

from kilonova.domain.allocation import AllocationRole, Claim
from kilonova.domain.clock import Ids
from kilonova.domain.host import Host, HostDefaults, HostFacts, HostUse
from kilonova.store.database import Tx
from kilonova.store.queries.counters import next_number
from kilonova.store.tables.hosts import allocations, hosts

_LOCK = select(hosts).where(hosts.c.id == bindparam("host_id")).with_for_update()
_LOCK_OF_SERVER = (
    select(hosts)
    .where(hosts.c.id.in_(select(allocations.c.host_id).where(allocations.c.server_id == bindparam("server_id"))))
    .order_by(hosts.c.id)
    .with_for_update()
)
_NAMES: BindParameter[str] = bindparam("names", expanding=True)
_IN_ORDER = select(hosts.c.id).where(hosts.c.name.in_(_NAMES)).order_by(hosts.c.id).with_for_update(key_share=True)
_COUNT = select(func.count()).select_from(hosts)
_NAMED = select(hosts).where(hosts.c.name == bindparam("host"))
_ADDRESSES = select(hosts.c.addresses).where(hosts.c.addresses != ())
_BOOT_ID = select(hosts.c.boot_id).where(hosts.c.name == bindparam("host"))
_MOVE = update(hosts).where(hosts.c.id == bindparam("host_id"), hosts.c.generation == bindparam("seen_generation"))
_HELD_AS = select(allocations.c.host_id).where(
    allocations.c.server_id == bindparam("server_id"), allocations.c.role == bindparam("role")
)
_ALLOCATE = insert(allocations)
_OF_SERVER_AS = (
    allocations.c.server_id == bindparam("server_id"),
    allocations.c.role.in_(bindparam("roles", expanding=True)),
)
_FREE = delete(allocations).where(*_OF_SERVER_AS).returning(*allocations.c)
_ROLES = select(allocations.c.role, allocations.c.host_id).where(allocations.c.server_id == bindparam("server_id"))
_TURN = update(allocations).where(
    allocations.c.server_id == bindparam("of_server"), allocations.c.role == bindparam("was")
)
_ALLOCATED = (
    select(allocations.c.server_id)
    .join(hosts, hosts.c.id == allocations.c.host_id)
    .where(hosts.c.name == bindparam("host"), allocations.c.server_id.in_(bindparam("ids", expanding=True)))
)


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
            "facts": facts, "addresses": facts.addresses, "vcpus_used": 0, "ram_mib_used": 0, "disk_gib_used": 0,
            "servers": 0, "generation": 1, "disabled": False, "forced_down": False, "boot_id": boot_id,
            "started_at": now, "seen_at": now,
            "created_at": now, **msgspec.structs.asdict(defaults),
        })  # fmt: skip
    else:
        came = {
            "facts": facts, "addresses": facts.addresses, "boot_id": boot_id, "started_at": now, "seen_at": now,
            "updated_at": now,
        }  # fmt: skip
        tx.execute(update(hosts).where(hosts.c.name == name).values(**came))
    host = by_name(tx, name)
    assert host is not None  # noqa: S101 - written above, in this transaction
    return Joined(host=host, was_restarted=before is not None and before.boot_id != boot_id)


def addresses(tx: Tx) -> set[str]:
    """All addresses of all hosts, as they said when they came up."""
    return {address for said in tx.execute(_ADDRESSES).scalars() for address in said}


def add(tx: Tx, new: Sequence[Host]) -> None:
    """Write whole records: of hosts that are moved here or made up. One that comes up is written by `register`."""
    tx.execute(insert(hosts), [{**msgspec.structs.asdict(one), "addresses": one.facts.addresses} for one in new])


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
    Allocate what `wanted` says on a host. None, and it is not locked, when it is disabled, is full, or not in `zone` any more.

    Claiming again what the server already has on this host in this role changes nothing and succeeds.
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
    held = tx.execute(_HELD_AS, {"server_id": wanted.server_id, "role": wanted.role}).scalar()
    if held is not None:
        return _use(row) if held == host_id else None
    if row.disabled or row.forced_down or zone not in (None, row.zone) or not fits(row, wanted):
        return None
    tx.execute(_ALLOCATE, {**msgspec.structs.asdict(wanted), "host_id": host_id, "created_at": now})
    return _move(tx, host_id, row, wanted, 1)


def hold(tx: Tx, server_id: str) -> None:
    """Keep the hosts that a server has allocations on from others until this transaction ends; of none, when it has none."""
    tx.execute(_LOCK_OF_SERVER, {"server_id": server_id})


def release(tx: Tx, server_id: str, roles: Sequence[AllocationRole] = tuple(AllocationRole)) -> list[HostUse]:
    """Give back what a server is allocated in these roles. Gives the use of each host that it had something of."""
    rows = {row.id: row for row in tx.execute(_LOCK_OF_SERVER, {"server_id": server_id})}
    freed = tx.execute(_FREE, {"server_id": server_id, "roles": list(roles)}).all() if rows else []
    uses: dict[str, HostUse] = {}
    for gone in freed:
        host = uses.get(gone.host_id) or rows[gone.host_id]
        uses[gone.host_id] = _move(tx, gone.host_id, host, gone, -1)
    return list(uses.values())


def roles(tx: Tx, server_id: str) -> dict[AllocationRole, str]:
    """What a server has of hosts: the host's id by role."""
    return {AllocationRole(row.role): row.host_id for row in tx.execute(_ROLES, {"server_id": server_id})}


def arrive(tx: Tx, server_id: str) -> None:
    """A server that moves is now where it was going: `incoming` becomes `current`, and what was that becomes `outgoing`."""
    for was, becomes in (
        (AllocationRole.CURRENT, AllocationRole.OUTGOING),
        (AllocationRole.INCOMING, AllocationRole.CURRENT),
    ):
        tx.execute(_TURN, {"of_server": server_id, "was": was, "role": becomes})


def allocated_on(tx: Tx, host: str, server_ids: Sequence[str]) -> frozenset[str]:
    """Those of these servers that have an allocation on the host, in whatever role."""
    return frozenset(tx.execute(_ALLOCATED, {"host": host, "ids": list(server_ids)}).scalars())


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
    return [host_of(row) for row in tx.execute(select(hosts).order_by(hosts.c.number))]


def count(tx: Tx) -> int:
    """How many hosts there are."""
    return int(tx.execute(_COUNT).scalar_one())


def by_name(tx: Tx, name: str) -> Host | None:
    """A host by its name."""
    row = tx.execute(_NAMED, {"host": name}).first()
    return None if row is None else host_of(row)


def lock(tx: Tx, name: str) -> Host | None:
    """A host by its name, with nothing claimed there until this transaction ends."""
    row = tx.execute(_NAMED.with_for_update(), {"host": name}).first()
    return None if row is None else host_of(row)


def lock_some(tx: Tx, names: Sequence[str]) -> None:
    """Keep these hosts from others until this transaction ends."""
    tx.execute(_IN_ORDER, {"names": list(names)})


def _move(tx: Tx, host_id: str, before: Any, amount: Any, sign: int) -> HostUse:
    """From the host's use before to after; `before` and `amount` are rows or structs of the same field names."""
    use = HostUse(
        host_id=host_id, generation=before.generation + 1, vcpus_used=before.vcpus_used + sign * amount.vcpus,
        ram_mib_used=before.ram_mib_used + sign * amount.ram_mib, disk_gib_used=before.disk_gib_used + sign * amount.disk_gib,
        servers=before.servers + sign,
    )  # fmt: skip
    moved = tx.execute(_MOVE, {**msgspec.structs.asdict(use), "seen_generation": before.generation})
    if moved.rowcount != 1:
        raise RuntimeError(f"host {host_id} changed under its lock")
    return use


def _use(row: Any) -> HostUse:
    return HostUse(
        host_id=row.id, generation=row.generation, vcpus_used=row.vcpus_used, ram_mib_used=row.ram_mib_used,
        disk_gib_used=row.disk_gib_used, servers=row.servers,
    )  # fmt: skip


def host_of(row: Any) -> Host:
    """The record in a row of all columns of `hosts`."""
    fields = dict(row._mapping)  # noqa: SLF001 - SQLAlchemy's documented row accessor
    del fields["addresses"]  # in the facts too; the column is for who wants those of all hosts
    return Host(**fields)
