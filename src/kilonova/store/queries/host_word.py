"""What a host may speak of: which servers and commands are its own business. The gate to the conductor asks (`host_gate`)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from sqlalchemy import BindParameter, and_, bindparam, exists, or_, select

from kilonova.domain.server import Lifecycle
from kilonova.store.database import Tx
from kilonova.store.tables.compute import servers
from kilonova.store.tables.sagas import saga_events, sagas

_HOST: BindParameter[str] = bindparam("host")
_PLACED_THERE = exists().where(
    saga_events.c.saga_id == sagas.c.id, saga_events.c.attempt == bindparam("attempt"), saga_events.c.host == _HOST
)
_COMMAND = select(sagas.c.server_id, _PLACED_THERE.label("sent_there")).where(sagas.c.id == bindparam("saga_id"))
_WAS_THERE = exists().where(
    sagas.c.server_id == servers.c.id, saga_events.c.saga_id == sagas.c.id, saga_events.c.host == _HOST
)
_FOREIGN = select(servers.c.id).where(
    servers.c.id.in_(bindparam("ids", expanding=True)),
    or_(servers.c.host.is_(None), servers.c.host != _HOST),
)


class CommandFacts(NamedTuple):
    """A saga, as one of its commands names it: whose it is, and whether that attempt was placed on the host in question."""

    server_id: str
    sent_there: bool


def command(tx: Tx, saga_id: str, attempt: int, host: str) -> CommandFacts | None:
    """What the journal says of a command; None when there is no such saga."""
    row = tx.execute(_COMMAND, {"saga_id": saga_id, "attempt": attempt, "host": host}).first()
    return None if row is None else CommandFacts(server_id=row.server_id, sent_there=bool(row.sent_there))


def foreign(tx: Tx, host: str, server_ids: Sequence[str]) -> list[str]:
    """Those of these servers that there is a record of, and that are not on the host."""
    return list(tx.execute(_FOREIGN, {"ids": list(server_ids), "host": host}).scalars())


def never_there(tx: Tx, host: str, server_ids: Sequence[str]) -> list[str]:
    """Those of these servers that live, are not on the host, and were never sent there by any saga."""
    living = and_(servers.c.lifecycle != Lifecycle.DELETED, ~_WAS_THERE)
    return list(tx.execute(_FOREIGN.where(living), {"ids": list(server_ids), "host": host}).scalars())


def gone_and_was_there(tx: Tx, host: str, server_id: str) -> bool:
    """Whether a server is deleted, and was once sent to the host."""
    gone = select(servers.c.id).where(servers.c.id == server_id, servers.c.lifecycle == Lifecycle.DELETED, _WAS_THERE)
    return tx.execute(gone, {"host": host}).first() is not None
