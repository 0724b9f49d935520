"""What a list of images can be narrowed to."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import Boolean, ColumnElement, String, literal
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.expression import FunctionElement

from kilonova.store.tables.image import images

COMPARISONS: Mapping[str, Callable[[Any, Any], Any]] = {
    "eq": operator.eq, "neq": operator.ne, "lt": operator.lt, "lte": operator.le, "gt": operator.gt, "gte": operator.ge,
}  # fmt: skip


class ImageFilter(msgspec.Struct, frozen=True, kw_only=True):
    """
    All that is given must hold.

    `one_of`: column to its possible values. `times`: (created_at or updated_at, a key of COMPARISONS, when). `tags`: the image
    has all of them. `visibility` is also what is shown: `all` and `community` show others' community images.
    `member_status`: which shares are shown, or `all`.
    """

    one_of: Mapping[str, tuple[Any, ...]] = {}
    size_min: int | None = None
    size_max: int | None = None
    times: tuple[tuple[str, str, datetime], ...] = ()
    tags: tuple[str, ...] = ()
    properties: Mapping[str, str] = {}
    visibility: str | None = None
    member_status: str = "accepted"


def narrowed(wanted: ImageFilter) -> list[ColumnElement[bool]]:
    """The conditions of a filter, but for what it says of who is shown what."""
    found: list[ColumnElement[bool]] = [images.c[name].in_(values) for name, values in wanted.one_of.items()]
    if wanted.visibility not in (None, "all"):
        found.append(images.c.visibility == wanted.visibility)
    if wanted.size_min is not None:
        found.append(images.c.size >= wanted.size_min)
    if wanted.size_max is not None:
        found.append(images.c.size <= wanted.size_max)
    found += [COMPARISONS[way](images.c[name], when) for name, way, when in wanted.times]
    found += [_Has(images.c.tags, literal(tag, String)) for tag in wanted.tags]
    found += [_Maps(images.c.properties, literal(k, String), literal(v, String)) for k, v in wanted.properties.items()]
    return found


class _Has(FunctionElement[bool]):
    """The JSON list in a column has a text."""

    type = Boolean()
    inherit_cache = True


class _Maps(FunctionElement[bool]):
    """The JSON object in a column maps a key to a text."""

    type = Boolean()
    inherit_cache = True


@compiles(_Has)
def _has_in_sqlite(element: _Has, compiler: Any, **kw: Any) -> str:
    column, value = (compiler.process(part, **kw) for part in element.clauses)
    return f"EXISTS (SELECT 1 FROM json_each({column}) WHERE value = {value})"  # noqa: S608 - compiled parts


@compiles(_Has, "postgresql")
def _has_in_postgresql(element: _Has, compiler: Any, **kw: Any) -> str:
    column, value = (compiler.process(part, **kw) for part in element.clauses)
    return f"(CAST({column} AS jsonb) @> to_jsonb(CAST({value} AS text)))"


@compiles(_Maps)
def _maps_in_sqlite(element: _Maps, compiler: Any, **kw: Any) -> str:
    column, key, value = (compiler.process(part, **kw) for part in element.clauses)
    return f"EXISTS (SELECT 1 FROM json_each({column}) WHERE key = {key} AND value = {value})"  # noqa: S608 - compiled parts


@compiles(_Maps, "postgresql")
def _maps_in_postgresql(element: _Maps, compiler: Any, **kw: Any) -> str:
    column, key, value = (compiler.process(part, **kw) for part in element.clauses)
    return f"(CAST({column} AS jsonb) ->> CAST({key} AS text) = {value})"
