"""Paging as OpenStack does it: `limit`, `marker`, `sort_key`, `sort_dir`, and a `next` link when there is more."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Annotated, Any, TypeVar
from urllib.parse import parse_qsl, urlencode

import msgspec
from msgspec import UNSET, Meta

from kilonova.api.framework.exchange import Request
from kilonova.api.framework.schema import Maybe, Query, reads
from kilonova.domain.errors import InvalidField

MAX_LIMIT = 1000
T = TypeVar("T")


def _limit(value: int) -> int:
    if value < 0:
        raise ValueError("must be 0 or more")
    return value


Limit = Annotated[int, reads(_limit)]


class PageQuery(Query):
    """The query of a list that pages; inherit from it to add filters."""

    limit: Maybe[Limit] = UNSET
    marker: Maybe[Annotated[str, Meta(max_length=255)]] = UNSET


class SortedPageQuery(PageQuery):
    """The query of a list that pages and sorts."""

    sort_key: Maybe[list[str]] = UNSET
    sort_dir: Maybe[list[str]] = UNSET


class Paging(msgspec.Struct, frozen=True):
    """How much, from where: `limit` is never 0 and never above the service's maximum; `marker` is the last id seen."""

    limit: int
    marker: str | None
    sort: tuple[tuple[str, str], ...] = ()


def read_paging(
    query: PageQuery,
    *,
    max_limit: int = MAX_LIMIT,
    sortable: Collection[str] = (),
    default_sort: Sequence[tuple[str, str]] = (("created_at", "desc"), ("id", "desc")),
) -> Paging:
    """
    Read the paging part of a query. A limit of 0 means the maximum, as Nova has it.

    Sort keys outside `sortable` and directions other than asc and desc are refused (InvalidField). Missing directions repeat the
    first one given, or `desc`.
    """
    limit = max_limit if query.limit is UNSET or not query.limit else min(query.limit, max_limit)
    keys, dirs = _given(query, "sort_key"), _given(query, "sort_dir")
    for key in keys:
        if key not in sortable:
            raise InvalidField("sort_key", f"{key[:64]!r} is not one of {', '.join(sorted(sortable)) or 'none'}")
    for way in dirs:
        if way not in ("asc", "desc"):
            raise InvalidField("sort_dir", f"{way[:64]!r} is not asc or desc")
    if len(dirs) > max(len(keys), 1):
        raise InvalidField("sort_dir", "there are more of them than sort keys")
    fill = dirs[0] if dirs else "desc"
    chosen = (
        list(zip(keys, [*dirs, *[fill] * len(keys)], strict=False))
        if keys
        else [(k, dirs[0] if dirs else d) for k, d in default_sort]
    )
    return Paging(limit, None if query.marker is UNSET else query.marker, tuple(chosen))


def _given(query: PageQuery, name: str) -> list[str]:
    value = getattr(query, name, UNSET)
    return [] if value is UNSET else value


def next_url(request: Request[Any, Any], marker: str) -> str:
    """The request's own URL, with its marker moved to the last item shown."""
    kept = [(k, v) for k, v in parse_qsl(request.query_string, keep_blank_values=True) if k != "marker"]
    return f"{request.url}?{urlencode([*kept, ('marker', marker)])}"


def next_links(request: Request[Any, Any], marker: str | None) -> list[dict[str, str]]:
    """`[{"rel": "next", "href": ...}]`, or nothing when `marker` is None: the list ends here."""
    return [] if marker is None else [{"rel": "next", "href": next_url(request, marker)}]


def cut(rows: Sequence[T], limit: int) -> tuple[Sequence[T], bool]:
    """Split rows fetched with `limit + 1` into what is shown, and whether there is more."""
    return rows[:limit], len(rows) > limit
