"""
Where a server was to go, attempt by attempt, and why: read from the journals of its sagas, where the step *place* left it.

The journal is the record; nothing is written twice for this view, and it is kept and deleted as the journal is.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import and_, bindparam, or_, select

from kilonova.domain.boot import SchedulingRequest
from kilonova.domain.placement import Choice, Setback
from kilonova.domain.saga import Event
from kilonova.store.database import Tx
from kilonova.store.tables.sagas import saga_events, sagas

STEP = "place"
_KEPT = (
    select(
        sagas.c.id, sagas.c.kind, sagas.c.params, saga_events.c.event, saga_events.c.at, saga_events.c.attempt,
        saga_events.c.step, saga_events.c.result, saga_events.c.error,
    )
    .join(saga_events, saga_events.c.saga_id == sagas.c.id)
    .where(
        sagas.c.subject_id == bindparam("server_id"),
        or_(
            saga_events.c.event == Event.STEP_FAILED,
            and_(saga_events.c.event == Event.STEP_DONE, saga_events.c.step == STEP),
        ),
    )
    .order_by(sagas.c.created_at, sagas.c.id, saga_events.c.seq)
)  # fmt: skip


class Attempt(msgspec.Struct, frozen=True, kw_only=True):
    """One decision on where a server goes: of which saga's which attempt, what was asked, and what came of it."""

    saga_id: str
    kind: str
    number: int
    at: datetime
    request: SchedulingRequest
    choice: Choice
    setback: Setback | None = None

    @property
    def failed(self) -> str | None:
        """Why it came to nothing, in words; None when it did not, so far."""
        if self.setback is not None:
            return self.setback.message
        return self.choice.explanation.sentence() if self.choice.host is None else None


class _Result(msgspec.Struct):
    choice: Choice | None = None


class _Params(msgspec.Struct):
    scheduling: SchedulingRequest


_RESULT = msgspec.json.Decoder(_Result | None)
_PARAMS = msgspec.json.Decoder(_Params)


def of_server(tx: Tx, server_id: str) -> list[Attempt]:
    """Every attempt to place a server, in order. Whether the caller may know of the server is asked before."""
    return _attempts(tx.execute(_KEPT, {"server_id": server_id}))


def _attempts(rows: Iterable[Any]) -> list[Attempt]:
    found: list[Attempt] = []
    for row in rows:
        kept = _RESULT.decode(row.result or "null")
        if kept is not None and kept.choice is not None:
            found.append(
                Attempt(
                    saga_id=row.id, kind=row.kind, number=row.attempt, at=row.at, choice=kept.choice,
                    request=_PARAMS.decode(row.params).scheduling,
                )
            )  # fmt: skip
        elif found and (found[-1].saga_id, found[-1].number) == (row.id, row.attempt):
            setback = Setback(step=str(row.step), message=row.error or "")
            found[-1] = msgspec.structs.replace(found[-1], setback=setback)
    return found
