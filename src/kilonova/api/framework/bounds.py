"""
What bounds a value that a client sends, where its type names no bound: nothing that is read here can grow for ever.

Whoever needs more says so on the field (`Meta(max_length=65_535)`, `size(65_536)`); whoever knows better says less. Types that
cannot be bounded are refused when a codec is made of them, so a field without a bound does not come into being.
"""

from __future__ import annotations

import enum
from collections.abc import Callable
from datetime import datetime
from typing import Any, Literal, NamedTuple, get_args, get_origin

import msgspec
from msgspec import Meta

from kilonova.api.framework.schema import flatten

INT64 = Meta(ge=-(2**63), le=2**63 - 1)
"""Of an `int`: databases hold no more."""
ITEMS = Meta(max_length=1024)
"""Of a list's or an object's length."""
FREE_BYTES = 16 * 1024
"""Of JSON that has no type (`Any`, and a list or an object of such values as a whole)."""


class Where(NamedTuple):
    """Where a value comes from: what bounds a `str` there."""

    text: Meta


BODY = Where(Meta(max_length=255))
QUERY = Where(Meta(max_length=16 * 1024))
"""Filters hold lists of ids; nothing of a query is kept, and a URL has a bound of its own."""

_CLOSED = (bool, int, float, datetime, type(None), None)


def bounded(base: Any, limits: tuple[Meta, ...], where: Where) -> tuple[Meta, ...]:
    """The limits of a type with ours added where they leave it open."""
    if base is int:
        low = None if any(m.ge is not None or m.gt is not None for m in limits) else INT64.ge
        high = None if any(m.le is not None or m.lt is not None for m in limits) else INT64.le
        return limits if low is None and high is None else (*limits, Meta(ge=low, le=high))
    default = where.text if base is str else ITEMS if get_origin(base) in (list, dict) else None
    if default is None or any(m.max_length is not None for m in limits):
        return limits
    return (*limits, default)


def is_free(tp: Any) -> bool:
    """Whether it is JSON of no type: any value, or a list or an object of such."""
    base = flatten(tp)[0]
    return base in (Any, object) or (get_origin(base) in (list, dict) and is_free(get_args(base)[-1]))


def check_closed(tp: Any) -> None:
    """Raise TypeError for a type of which we know no bound."""
    if tp in _CLOSED or get_origin(tp) is Literal or (isinstance(tp, type) and issubclass(tp, enum.Enum)):
        return
    raise TypeError(f"{tp!r} has no bound: use a Shape, str, list, dict, or Any with size()")


def measure(limit: int) -> Callable[[Any], Any]:
    """A `reads` function that refuses what is longer than `limit` bytes of JSON."""

    def check(value: Any) -> Any:
        length = len(msgspec.json.encode(value))
        if length > limit:
            raise ValueError(f"it takes {length} bytes, and {limit} are the most")
        return value

    return check
