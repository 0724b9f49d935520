"""Searching in text, the same on SQLite and PostgreSQL."""

from __future__ import annotations

import re
from typing import Any

from sqlalchemy import Boolean, ColumnElement, Text, literal, type_coerce
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.expression import FunctionElement

_PLAIN = re.compile(r"\A[\w \-:@/]*\Z")


class _Contains(FunctionElement[bool]):
    """`haystack` has `needle` in it, letter by letter."""

    type = Boolean()
    inherit_cache = True


@compiles(_Contains)
def _contains_in_sqlite(element: _Contains, compiler: Any, **kw: Any) -> str:
    return f"(instr({compiler.process(element.clauses, **kw)}) > 0)"


@compiles(_Contains, "postgresql")
def _contains_in_postgresql(element: _Contains, compiler: Any, **kw: Any) -> str:
    return f"(strpos({compiler.process(element.clauses, **kw)}) > 0)"


def contains(column: ColumnElement[Any], needle: str) -> ColumnElement[bool]:
    """Whether the column's text, as it is stored, has `needle` in it. Case matters."""
    return _Contains(type_coerce(column, Text), literal(needle, Text))


def matches(column: ColumnElement[Any], pattern: str) -> ColumnElement[bool]:
    """Whether the regular expression is found in the column; one without special characters is simply looked for."""
    text = type_coerce(column, Text)
    return contains(text, pattern) if _PLAIN.match(pattern) else text.regexp_match(pattern)
