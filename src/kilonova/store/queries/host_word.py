"""What a host may speak of: which servers and commands are its own business. The gate to the conductor asks (`host_gate`)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from sqlalchemy import BindParameter, and_, bindparam, exists, func, or_, select

from kilonova.domain.server import Lifecycle
from kilonova.store.database import Tx
from kilonova.store.tables.compute import servers
from kilonova.store.tables.hosts import allocations, hosts
from kilonova.store.tables.sagas import saga_events, sagas

_HOST: BindParameter[str] = bindparam("host")
_AWAITED_THERE = and_(sagas.c.command_id == bindparam("command_id"), func.coalesce(sagas.c.awaited_host, "") == _HOST)
_PLACED_THERE = exists().where(
    saga_events.c.saga_id == sagas.c.id, saga_events.c.attempt == bindparam("attempt"), saga_events.c.host == _HOST
)
_COMMAND = select(sagas.c.subject_id, or_(_AWAITED_THERE, _PLACED_THERE).label("sent_there")).where(
    sagas.c.id == bindparam("saga_id")
)
_WAS_THERE = exists().where(
    sagas.c.subject_id == servers.c.id, saga_events.c.saga_id == sagas.c.id, saga_events.c.host == _HOST
)
_ALLOCATED_THERE = exists().where(
    allocations.c.server_id == servers.c.id, allocations.c.host_id == hosts.c.id, hosts.c.name == _HOST
)
_FOREIGN = select(servers.c.id).where(servers.c.id.in_(bindparam("ids", expanding=True)), ~_ALLOCATED_THERE)


class CommandFacts(NamedTuple):
    """A saga, as one of its commands names it: what it is about, and whether the host in question was sent that command."""

    subject_id: str
    sent_there: bool


def command(tx: Tx, command_id: str, host: str) -> CommandFacts | None:
    """
    What the records say of a command `<saga>/<attempt>/…`; None when there is no such saga.

    It was sent to the host when the saga waits for that host to report on it, or the journal says that this attempt was placed
    there.
    """
    saga_id, attempt, *_ = (*command_id.split("/"), "")
    number = int(attempt) if attempt.isascii() and attempt.isdigit() and len(attempt) < 6 else 0
    asked = {"saga_id": saga_id, "command_id": command_id, "attempt": number, "host": host}
    row = tx.execute(_COMMAND, asked).first()
    return None if row is None else CommandFacts(subject_id=row.subject_id, sent_there=bool(row.sent_there))


def foreign(tx: Tx, host: str, server_ids: Sequence[str]) -> list[str]:
    """Those of these servers that there is a record of, and that have no allocation on the host."""
    return list(tx.execute(_FOREIGN, {"ids": list(server_ids), "host": host}).scalars())


def never_there(tx: Tx, host: str, server_ids: Sequence[str]) -> list[str]:
    """Those of these servers that live, have no allocation on the host, and were never sent there by any saga."""
    living = and_(servers.c.lifecycle != Lifecycle.DELETED, ~_WAS_THERE)
    return list(tx.execute(_FOREIGN.where(living), {"ids": list(server_ids), "host": host}).scalars())


def may_speak_of(tx: Tx, host: str, server_id: str) -> bool:
    """Whether a server is on the host, there is no record of it, or it is deleted and was once sent there."""
    if not foreign(tx, host, [server_id]):
        return True
    gone = select(servers.c.id).where(servers.c.id == server_id, servers.c.lifecycle == Lifecycle.DELETED, _WAS_THERE)
    return tx.execute(gone, {"host": host}).first() is not None
