"""Small unique numbers, a series a name."""

from __future__ import annotations

from typing import Any

from sqlalchemy.dialects import postgresql, sqlite

from kilonova.store.database import Tx
from kilonova.store.tables.compute import counters


def _raise(dialect: Any) -> Any:
    add = dialect.insert(counters)
    raised = add.on_conflict_do_update(index_elements=["name"], set_={"value": counters.c.value + add.excluded.value})
    return raised.returning(counters.c.value)


_RAISE = {dialect.dialect.name: _raise(dialect) for dialect in (postgresql, sqlite)}


def next_number(tx: Tx, name: str, count: int = 1) -> int:
    """The first of `count` new numbers of a series; numbers begin at 1 and are never used twice."""
    last = tx.execute(_RAISE[tx.connection.dialect.name], {"name": name, "value": count}).scalar_one()
    return int(last) - count + 1
