"""What the queries of networks, subnets, ports and security groups share: filters, keyset pages, and the same few verbs."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, TypeVar

import msgspec
from sqlalchemy import (
    Column,
    ColumnElement,
    Select,
    Table,
    and_,
    delete,
    false,
    func,
    literal,
    not_,
    or_,
    update,
)
from sqlalchemy import Integer as IntegerType
from sqlalchemy.types import Boolean

from kilonova.domain.errors import InvalidField
from kilonova.store.database import Tx
from kilonova.store.queries.text import contains, in_order

T = TypeVar("T", bound=msgspec.Struct)
Condition = Callable[[Sequence[Any]], ColumnElement[bool]]


class Listing(msgspec.Struct, frozen=True, kw_only=True):
    """
    What a list asks for.

    `filters` maps an attribute to the values of which a row must have one; `sort` holds pairs of an attribute and `asc` or
    `desc`; `reverse` pages backwards from the marker.
    """

    filters: Mapping[str, Sequence[Any]] = {}
    sort: tuple[tuple[str, str], ...] = ()
    marker: str | None = None
    limit: int | None = None
    reverse: bool = False


def thing(kind: type[T], row: Any, **more: Any) -> T:
    """A struct from a row with just its columns, and `more` that lies in other tables."""
    return kind(**row._mapping, **more)  # noqa: SLF001 - SQLAlchemy's documented row accessor


def tuples(tx: Tx, query: Select[Any], parameters: Mapping[str, Any] | None = None) -> Iterable[Any]:
    """The rows of a query, to be unpacked by place."""
    return tx.execute(query, parameters).all()  # at once: by one costs three calls a row


def columns_of(table: Table, kind: type[msgspec.Struct]) -> list[Column[Any]]:
    """The table's columns that the struct has a field for."""
    return [table.c[name] for name in kind.__struct_fields__ if name in table.c]


def row_of(table: Table, value: msgspec.Struct) -> dict[str, Any]:
    """A struct's fields that the table has a column for."""
    return {name: getattr(value, name) for name in value.__struct_fields__ if name in table.c}


def change(tx: Tx, table: Table, ident: str, changes: Mapping[str, Any], now: datetime) -> None:
    """Write changed columns; the record's revision goes up by one."""
    values = {**changes, "updated_at": now, "revision": table.c.revision + 1}
    tx.execute(update(table).where(table.c.id == ident).values(values))


def remove(tx: Tx, table: Table, ident: str) -> None:
    """Delete one record."""
    tx.execute(delete(table).where(table.c.id == ident))


def tag_conditions(tags: Column[Any]) -> dict[str, Condition]:
    """Neutron's four tag filters: each value is a list separated by commas."""

    def having(values: Sequence[str]) -> list[ColumnElement[bool]]:
        wanted = [tag for value in values for tag in value.split(",")]
        return [contains(tags, msgspec.json.encode(tag).decode()) for tag in wanted]

    return {
        "tags": lambda values: and_(*having(values)),
        "tags-any": lambda values: or_(*having(values)),
        "not-tags": lambda values: not_(and_(*having(values))),
        "not-tags-any": lambda values: not_(or_(*having(values))),
    }


def page(
    tx: Tx, query: Select[Any], table: Table, listing: Listing, conditions: Mapping[str, Condition]
) -> Sequence[Any]:
    """
    The rows a listing asks for, in its order. A filter is one of `conditions`, `changed_since`, or a column.

    `query` has the rows that the caller may see: a marker is one of these, whatever the filters. Raises InvalidField for another.
    """
    seen = query
    query = query.where(*(_condition(table, name, values, conditions) for name, values in listing.filters.items()))
    keys = _keys(table, listing)
    if listing.marker is not None:
        query = query.where(_after(tx, seen.where(table.c.id == listing.marker), keys, listing.marker))
    query = query.order_by(*(key.desc() if is_down else key.asc() for key, is_down in keys)).limit(listing.limit)
    rows = tx.execute(query).all()
    return rows[::-1] if listing.reverse else rows


def _condition(
    table: Table, name: str, values: Sequence[Any], conditions: Mapping[str, Condition]
) -> ColumnElement[bool]:
    if name in conditions:
        return conditions[name](values)
    if name == "changed_since":
        return and_(*(table.c.updated_at >= value for value in values))
    column = table.c[name]
    known = [value for value in values if value is not None]
    parts = [column.in_(known)] if known else [false()]
    return or_(*parts, *([column.is_(None)] if None in values else []))


def _keys(table: Table, listing: Listing) -> list[tuple[ColumnElement[Any], bool]]:
    """Sort keys without NULLs (they sort first, on both engines), the id last so that the order is total."""
    asked = listing.sort or (("created_at", "asc"),)
    pairs = [*asked, *([] if "id" in dict(asked) else [("id", asked[-1][1])])]
    return [(in_order(_plain(table.c[name])), (way == "desc") is not listing.reverse) for name, way in pairs]


def _plain(column: Column[Any]) -> ColumnElement[Any]:
    if not column.nullable or isinstance(column.type, Boolean):
        return column
    return func.coalesce(column, literal(-1 if isinstance(column.type, IntegerType) else ""))


def _after(
    tx: Tx, marked: Select[Any], keys: Collection[tuple[ColumnElement[Any], bool]], marker: str
) -> ColumnElement[bool]:
    found = tx.execute(marked.with_only_columns(*(key for key, _ in keys))).first()
    if found is None:
        raise InvalidField("marker", f"there is no {marker[:64]}")
    equal: list[ColumnElement[bool]] = []
    options: list[ColumnElement[bool]] = []
    for (key, is_down), value in zip(keys, found, strict=True):
        options.append(and_(*equal, key < value if is_down else key > value))
        equal.append(key == value)
    return or_(*options)
