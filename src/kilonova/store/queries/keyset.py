"""
Keyset pagination: the rows after a marker in some order, without counting those before.

Orders may mix directions and repeat keys; the table's id always comes last, so that the order is total. Columns are given so that
none is NULL (see `nullable`), because NULLs sort at different ends in SQLite and PostgreSQL and compare with nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
from sqlalchemy import BigInteger, ColumnElement, Integer, Select, Text, and_, case, func, or_, tuple_, type_coerce

from kilonova.domain.errors import Rejected
from kilonova.store.database import Tx
from kilonova.store.queries.text import in_order
from kilonova.store.types import Instant


class Keyset(msgspec.Struct, frozen=True, kw_only=True):
    """One page: at most `limit` rows (None: all) after the row with id `marker`, sorted by (key, asc or desc)."""

    limit: int | None = None
    marker: str | None = None
    sort: tuple[tuple[str, str], ...] = ()


def flag(column: ColumnElement[Any]) -> ColumnElement[Any]:
    """A boolean column as 0 or 1: PostgreSQL's booleans and SQLite's compare with different things."""
    return case((column.is_(True), 1), else_=0)


def nullable(column: ColumnElement[Any]) -> ColumnElement[Any]:
    """The column with NULL as the least value of its type."""
    if isinstance(column.type, Instant):
        return func.coalesce(type_coerce(column, BigInteger), -1)
    if isinstance(column.type, Integer):
        return func.coalesce(type_coerce(column, Integer), -1)
    return func.coalesce(type_coerce(column, Text), "")


def page(
    tx: Tx, query: Select[Any], keyset: Keyset, keys: Mapping[str, ColumnElement[Any]], markers: Select[Any]
) -> Select[Any]:
    """
    `query` cut down to the page. `keys` are the columns that may be sorted by and must have `id`.

    `markers` selects the rows a marker may name (any columns; a list's own filters do not apply to its marker). Raises
    Rejected for a marker that names none of them.
    """
    order = [(in_order(keys[key]), way == "desc") for key, way in keyset.sort]
    if "id" not in dict(keyset.sort):
        order.append((in_order(keys["id"]), order[-1][1] if order else False))
    if keyset.marker is not None:
        query = query.where(
            _after(order, _marker(tx, keyset.marker, [column for column, _ in order], keys["id"], markers))
        )
    query = query.order_by(*(column.desc() if down else column.asc() for column, down in order))
    return query if keyset.limit is None else query.limit(keyset.limit)


def _marker(
    tx: Tx, marker: str, columns: list[ColumnElement[Any]], ids: ColumnElement[Any], markers: Select[Any]
) -> tuple[Any, ...]:
    row = tx.execute(markers.with_only_columns(*columns).where(ids == marker)).first()
    if row is None:
        raise Rejected(f"marker [{marker[:255]}] not found")
    return tuple(row)


def _after(order: list[tuple[ColumnElement[Any], bool]], values: tuple[Any, ...]) -> ColumnElement[bool]:
    """Rows behind the marker's values; a row comparison, which an index can serve, where all directions are one."""
    columns = [column for column, _ in order]
    downs = {down for _, down in order}
    if len(downs) == 1:
        return tuple_(*columns) < values if downs.pop() else tuple_(*columns) > values
    alternatives = []
    for i, (column, down) in enumerate(order):
        same = [earlier == value for earlier, value in zip(columns[:i], values[:i], strict=True)]
        alternatives.append(and_(*same, column < values[i] if down else column > values[i]))
    return or_(*alternatives)
