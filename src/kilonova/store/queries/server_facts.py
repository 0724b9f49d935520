"""
What sagas and reconcilers write of a server: where it is, whether it runs, why it failed, that it is gone.

These are the control plane's own: no tenant's scope applies. What the API reads and edits is in `servers.py`. Lists are in the
order of their ids, in which whoever writes several servers locks them.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import bindparam, select, update

from kilonova.domain.errors import Missing
from kilonova.domain.server import Fault, Intent, Lifecycle, PowerState, Server
from kilonova.store.database import Tx
from kilonova.store.queries import quotas, server_groups
from kilonova.store.queries.server_row import server_of
from kilonova.store.tables.compute import servers

_GET = select(servers).where(servers.c.id == bindparam("server_id"))
_SET = update(servers).where(servers.c.id == bindparam("server_id"))  # what is set comes with the parameters
_RAISE_GENERATION = _SET.values(generation=servers.c.generation + 1).returning(servers.c.generation)
_SET_PROGRESS = _SET.where(servers.c.lifecycle == Lifecycle.BUILDING)


def get(tx: Tx, server_id: str) -> Server:
    """One server, deleted ones too. Raises Missing."""
    row = tx.execute(_GET, {"server_id": server_id}).first()
    if row is None:
        raise Missing("Server", server_id)
    return server_of(row)


def on_host(tx: Tx, host: str) -> list[Server]:
    """Every server that is, or is being made, on a host."""
    here = (servers.c.host == host, servers.c.lifecycle != Lifecycle.DELETED)
    return [server_of(row) for row in tx.execute(select(servers).where(*here).order_by(servers.c.id))]


def wanted_but_down(tx: Tx) -> list[Server]:
    """Servers at rest that should run and do not, as far as is known."""
    down = (PowerState.NOSTATE, PowerState.SHUTDOWN, PowerState.CRASHED)
    at_rest = (servers.c.lifecycle == Lifecycle.BUILT, servers.c.saga.is_(None), servers.c.host.is_not(None))
    wanted = (servers.c.intent == Intent.ACTIVE, servers.c.power_state.in_(down))
    rows = tx.execute(select(servers).where(*at_rest, *wanted).order_by(servers.c.id))
    return [server_of(row) for row in rows]


def some(tx: Tx, server_ids: Sequence[str]) -> dict[str, Server]:
    """These servers by id, deleted ones too; those there is no record of are left out."""
    rows = tx.execute(select(servers).where(servers.c.id.in_(server_ids)).order_by(servers.c.id))
    return {row.id: server_of(row) for row in rows}


def next_generation(tx: Tx, server: Server, *, same: bool) -> int:
    """The generation for a new command about a server; `same`: for a command that is sent again."""
    if same:
        return server.generation
    return int(tx.execute(_RAISE_GENERATION, {"server_id": server.id}).scalar_one())


def place(tx: Tx, server_id: str, host: str, zone: str, now: datetime) -> None:
    """It goes on this host."""
    _set(tx, server_id, host=host, node=host, zone=zone, updated_at=now)


def unplace(tx: Tx, server_id: str, now: datetime) -> None:
    """It is on no host."""
    _set(tx, server_id, host=None, node=None, zone=None, updated_at=now)


def launched(tx: Tx, server_id: str, power_state: PowerState, now: datetime) -> None:
    """It runs for the first time. The admin password has reached the guest and is kept no longer."""
    _set(
        tx, server_id, lifecycle=Lifecycle.BUILT, power_state=power_state, launched_at=now, updated_at=now, progress=100,
        admin_pass=None, fault=None,
    )  # fmt: skip


def fail(tx: Tx, server_id: str, lifecycle: Lifecycle, fault: Fault, now: datetime) -> None:
    """It is in ERROR, and this is why."""
    _set(tx, server_id, lifecycle=lifecycle, fault=fault, updated_at=now, progress=0, admin_pass=None)


def observe_power(tx: Tx, server_id: str, power_state: PowerState, intent: Intent, now: datetime) -> None:
    """What the host last said of it, and what is wanted of it from now on."""
    _set(tx, server_id, power_state=power_state, intent=intent, updated_at=now)


def progressed(tx: Tx, percents: dict[str, int]) -> None:
    """How far the hosts of servers being built have come with them."""
    rows = [{"server_id": server_id, "progress": percent} for server_id, percent in sorted(percents.items())]
    if rows:
        tx.execute(_SET_PROGRESS, rows)


def forget(tx: Tx, server: Server, now: datetime) -> None:
    """It is deleted, its project has its quota back, and its group a member less. Doing it twice is doing it once."""
    if server.lifecycle is Lifecycle.DELETED:
        return
    _set(
        tx, server.id, lifecycle=Lifecycle.DELETED, intent=Intent.DELETED, power_state=PowerState.NOSTATE,
        deleted_at=now, terminated_at=now, updated_at=now, host=None, node=None, user_data=None, personality={},
        admin_pass=None, progress=0,
    )  # fmt: skip
    server_groups.leave(tx, server.id)
    freed = {"instances": 1, "cores": server.flavor.vcpus, "ram": server.flavor.ram_mib}
    quotas.give_back(tx, server.project_id, freed)


def _set(tx: Tx, server_id: str, **values: object) -> None:
    tx.execute(_SET, {"server_id": server_id, **values})
