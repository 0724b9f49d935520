"""
Carrying all records from one database into another.

All or nothing: one transaction on the target, one snapshot of the source. Tables go in the order of their foreign keys, rows in
batches, values as they are in the database (a time as its microseconds, JSON as its text), so that nothing is interpreted on the
way. Before the commit every table is read back; its rows are counted, and compared by a checksum that does not mind their order.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import Any, NamedTuple

import msgspec
from sqlalchemy import Column, MetaData, Table, TypeDecorator, delete, func, insert, select, text

from kilonova.domain.errors import Bug, Conflict
from kilonova.store.database import Database, Tx
from kilonova.store.schema import HEAD, current_version, ensure_schema
from kilonova.store.tables import metadata
from kilonova.store.tables.events import events

_BATCH = 1000
_MOVED = [real for real in metadata.sorted_tables if real is not events]


class Moved(NamedTuple):
    """How much was moved."""

    tables: int
    rows: int


class Fingerprint(NamedTuple):
    """How many rows, and the sum of their hashes."""

    rows: int
    checksum: int


def move(source: Database, target: Database, tell: Callable[[str], None]) -> Moved:
    """
    Copy every row of `source` into the empty `target`, whose tables are made if there are none.

    Raises Conflict when the source is of another release than this one, or the target is not empty.
    """
    _check_source(source)
    ensure_schema(target)
    fingerprints = {}
    with source.read() as origin, target.write() as tx:
        _check_empty(tx)
        for real in _MOVED:
            tell(f"Moving {real.name} …")
            fingerprints[real.name] = _copy(real, origin, tx)
        tx.execute(delete(events))  # of the move itself: readers begin anew there
        for real in _MOVED:
            tell(f"Comparing {real.name} …")
            found = fingerprint(tx, real)
            if found != fingerprints[real.name]:
                raise Bug(
                    f"Table {real.name} is not the same after the move: {fingerprints[real.name].rows} rows became {found.rows},"
                    " or some differ. Nothing was moved."
                )
    return Moved(tables=len(fingerprints), rows=sum(one.rows for one in fingerprints.values()))


def fingerprint(tx: Tx, real: Table) -> Fingerprint:
    """What a table holds."""
    rows, checksum = 0, 0
    for row in _rows(tx, _plain(real)):
        rows, checksum = rows + 1, checksum + _hash(row)
    return Fingerprint(rows, checksum % (1 << 128))


def _check_source(source: Database) -> None:
    version = current_version(source)
    if version != HEAD:
        raise Conflict(
            f"The cloud's schema is {version or 'empty'}, and this release's is {HEAD}.",
            next_step="Start it once with this release and stop it: kilonova up && kilonova down",
        )


def _check_empty(tx: Tx) -> None:
    for real in metadata.sorted_tables:
        if tx.execute(select(func.count()).select_from(select(real).limit(1).subquery())).scalar():
            raise Conflict(
                f"The target is not empty: there are rows in {real.name}.",
                next_step="Name a new database; nothing was moved.",
            )


def _copy(real: Table, origin: Tx, tx: Tx) -> Fingerprint:
    table = _plain(real)
    rows: Iterable[dict[str, Any]] = _rows(origin, table)
    for column in _own_parents(real):
        rows = _parents_first(list(rows), next(iter(real.primary_key)).name, column)
    count, checksum = 0, 0
    rest = iter(rows)
    while batch := list(islice(rest, _BATCH)):
        tx.execute(insert(table), batch)
        count, checksum = count + len(batch), checksum + sum(map(_hash, batch))
    _set_sequence(tx, real)
    return Fingerprint(count, checksum % (1 << 128))


def _plain(real: Table) -> Table:
    """The table with its columns as the database has them."""
    columns = (Column(one.name, _plain_type(one.type)) for one in real.columns)
    return Table(real.name, MetaData(), *columns)


def _plain_type(kind: Any) -> Any:
    return kind.impl_instance if isinstance(kind, TypeDecorator) else kind


def _rows(tx: Tx, table: Table) -> Iterator[dict[str, Any]]:
    found = tx.execute(select(table).execution_options(yield_per=_BATCH))
    return (dict(row) for row in found.mappings())


def _hash(row: dict[str, Any]) -> int:
    packed = msgspec.msgpack.encode([row[name] for name in sorted(row)])
    return int.from_bytes(hashlib.blake2b(packed, digest_size=16).digest(), "big")


def _own_parents(real: Table) -> list[str]:
    """Columns that name another row of the same table."""
    return [key.parent.name for key in real.foreign_keys if key.column.table is real]


def _parents_first(rows: list[dict[str, Any]], key: str, parent: str) -> Iterator[dict[str, Any]]:
    waiting, there = rows, {None}
    while waiting:
        ready = [row for row in waiting if row[parent] in there]
        if not ready:
            raise Bug(f"Rows name each other as their {parent}: {[row[key] for row in waiting][:5]}")
        yield from ready
        there |= {row[key] for row in ready}
        waiting = [row for row in waiting if row[key] not in there]


def _set_sequence(tx: Tx, real: Table) -> None:
    """Let numbers go on after the highest one; SQLite does that by itself."""
    column = real.autoincrement_column
    if column is None or tx.connection.dialect.name != "postgresql":
        return
    highest = tx.execute(select(func.max(column))).scalar()
    if highest is not None:
        sequence = {"of": real.name, "column": column.name, "highest": highest}
        tx.execute(text("SELECT setval(pg_get_serial_sequence(:of, :column), :highest)"), sequence)
