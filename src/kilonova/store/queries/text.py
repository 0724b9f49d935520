"""
Searching, sorting and folding text, the same on SQLite and PostgreSQL.

SQLite compares text byte by byte, and knows the case of ASCII alone; PostgreSQL does both as the database's locale has it; LIKE
on the one ignores case where the other does not. So no query has a LIKE, text that is sorted or compared by order goes through
`in_order`, and case is ignored through `folded`: `tests/component/store/test_queries_alike.py` asks both.
"""

from __future__ import annotations

import re
from string import ascii_lowercase, ascii_uppercase
from typing import Any

from sqlalchemy import Boolean, ColumnElement, String, Text, func, literal, type_coerce
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.expression import FunctionElement

from kilonova.store.tables.base import Uuid

_LOWER = str.maketrans(ascii_uppercase, ascii_lowercase)
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


class _InOrder(FunctionElement[str]):
    """The text as it is sorted byte by byte."""

    type = Text()
    inherit_cache = True


@compiles(_InOrder)
def _in_order_in_sqlite(element: _InOrder, compiler: Any, **kw: Any) -> str:
    return str(compiler.process(element.clauses, **kw))


@compiles(_InOrder, "postgresql")
def _in_order_in_postgresql(element: _InOrder, compiler: Any, **kw: Any) -> str:
    return f'({compiler.process(element.clauses, **kw)} COLLATE "C")'


def in_order(column: ColumnElement[Any]) -> ColumnElement[Any]:
    """
    The column as it is sorted: text by its bytes, which is by code points. Ids of our own, in hexadecimal, any locale sorts so,
    and an index on them in the database's own order serves.
    """
    is_text = isinstance(column.type, String) and column.type.length != Uuid.length
    return _InOrder(column) if is_text else column


def folded(column: ColumnElement[str]) -> ColumnElement[str]:
    """The text with its ASCII letters in lower case, to be compared with what `fold` gives."""
    return func.lower(_InOrder(column))


def fold(text: str) -> str:
    """The text with its ASCII letters in lower case."""
    return text.translate(_LOWER)


def contains(column: ColumnElement[Any], needle: str) -> ColumnElement[bool]:
    """Whether the column's text, as it is stored, has `needle` in it. Case matters."""
    return _Contains(type_coerce(column, Text), literal(needle, Text))


def matches(column: ColumnElement[Any], pattern: str) -> ColumnElement[bool]:
    """Whether the regular expression is found in the column; one without special characters is simply looked for."""
    text = type_coerce(column, Text)
    return contains(text, pattern) if _PLAIN.match(pattern) else text.regexp_match(pattern)
