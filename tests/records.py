"""All records of a database, put aside and put back: what backups are for, on either engine."""

from __future__ import annotations

from typing import Any

from sqlalchemy import RowMapping, Table, delete, insert, select

from kilonova.store.database import Database
from kilonova.store.tables import metadata

Copy = dict[str, list[dict[str, Any]]]


def copied(database: Database) -> Copy:
    """All rows, as they are now."""
    with database.read() as tx:
        return {
            table.name: [_by_key(table, row) for row in tx.execute(select(table)).mappings()]
            for table in metadata.sorted_tables
        }


def put_back(database: Database, copy: Copy) -> None:
    """The rows are these and no others."""
    with database.write() as tx:
        for table in reversed(metadata.sorted_tables):
            tx.execute(delete(table))
        for table in metadata.sorted_tables:
            if copy[table.name]:
                tx.execute(insert(table), copy[table.name])


def _by_key(table: Table, row: RowMapping) -> dict[str, Any]:
    return {column.key: row[column] for column in table.columns}
