"""Small unique numbers, a series a name."""

from __future__ import annotations

from sqlalchemy.dialects import postgresql, sqlite

from kilonova.store.database import Tx
from kilonova.store.tables.compute import counters


def next_number(tx: Tx, name: str, count: int = 1) -> int:
    """The first of `count` new numbers of a series; numbers begin at 1 and are never used twice."""
    dialect = postgresql if tx.connection.dialect.name == "postgresql" else sqlite
    add = dialect.insert(counters).values(name=name, value=count)
    raised = add.on_conflict_do_update(index_elements=["name"], set_={"value": counters.c.value + count})
    last = tx.execute(raised.returning(counters.c.value)).scalar_one()
    return int(last) - count + 1
