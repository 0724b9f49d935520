"""All records of a cloud, to look at and to put back: so that each request of many finds the same ones."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import text

from kilonova.store.database import Database
from kilonova.store.tables import metadata

_TABLES = [table.name for table in metadata.sorted_tables if table.name != "events"]  # triggers write those
Rows = Mapping[str, list[tuple[Any, ...]]]


def rows_of(db: Database) -> Rows:
    """Every row, as the database has it."""
    with db.read() as tx:
        return {name: sorted(map(tuple, tx.execute(text(f'SELECT * FROM "{name}"'))), key=repr) for name in _TABLES}  # noqa: S608 - of our own tables


def put_back(db: Database, before: Rows) -> None:
    """Make the records what they were."""
    now = rows_of(db)
    changed = [name for name in _TABLES if now[name] != before[name]]
    if not changed:
        return
    with db.engine.connect() as connection:
        connection.exec_driver_sql(
            "PRAGMA foreign_keys=OFF"
        )  # a row that is put back is not gone meanwhile for those below it
        connection.exec_driver_sql("BEGIN IMMEDIATE")
        for name in changed:
            connection.exec_driver_sql(f'DELETE FROM "{name}"')  # noqa: S608 - of our own tables
            if before[name]:
                marks = ", ".join("?" * len(before[name][0]))
                connection.exec_driver_sql(f'INSERT INTO "{name}" VALUES ({marks})', list(before[name]))  # noqa: S608
        connection.commit()
        connection.exec_driver_sql("PRAGMA foreign_keys=ON")


def naming(rows: Rows, names: set[str], *, but: set[str]) -> Rows:
    """The rows in which one of these names stands, and none of `but`: somebody's, and nobody else's."""
    return {
        table: [row for row in those if names.intersection(map(str, row)) and not but.intersection(map(str, row))]
        for table, those in rows.items()
    }
