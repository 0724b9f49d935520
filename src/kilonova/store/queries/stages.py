"""The stages of a server's boot on its host, as the host reported them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import msgspec
from sqlalchemy import select
from sqlalchemy.dialects import postgresql, sqlite

from kilonova.store.database import Tx
from kilonova.store.tables.sagas import sagas, stages


class StageReached(msgspec.Struct, frozen=True, kw_only=True):
    """A stage of an attempt of a saga began on a host."""

    saga_id: str
    attempt: int
    host: str
    name: str
    started_at: datetime


def add(tx: Tx, reached: Sequence[StageReached]) -> None:
    """Write these down. One that is known already (its command was sent twice), or whose saga is not, changes nothing."""
    wanted = {stage.saga_id for stage in reached}
    known = {row.id for row in tx.execute(select(sagas.c.id).where(sagas.c.id.in_(wanted)))}
    in_order = sorted(reached, key=lambda stage: (stage.saga_id, stage.name, stage.attempt))
    rows = [msgspec.structs.asdict(stage) for stage in in_order if stage.saga_id in known]
    if rows:
        dialect = postgresql if tx.connection.dialect.name == "postgresql" else sqlite
        tx.execute(dialect.insert(stages).on_conflict_do_nothing(), rows)
