"""The query of a list of images: filters, ranges, free properties, and sorting in Glance's two spellings."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any

import msgspec

from kilonova.api.framework import UNSET, Maybe, SortedPageQuery, read_paging, reads, rest
from kilonova.api.framework.types import Flag, read_time
from kilonova.api.image.fields import one_of
from kilonova.domain.errors import InvalidField, Rejected
from kilonova.domain.image import MEMBER_STATUSES, VISIBILITIES
from kilonova.store.queries.image_filters import COMPARISONS, ImageFilter
from kilonova.store.queries.images import SORT_KEYS
from kilonova.store.queries.keyset import Keyset

_IN = "in:"


class When(msgspec.Struct, frozen=True):
    """A comparison with a time."""

    way: str
    moment: datetime


def read_when(text: str) -> When:
    """`gte:2024-05-01T00:00:00Z`; a time alone is `eq`."""
    way, colon, rest_ = text.partition(":")
    if colon and way in COMPARISONS:
        return When(way, read_time(rest_))
    return When("eq", read_time(text))


def read_values(text: str) -> tuple[str, ...]:
    """`in:a,"b,c"` is several, anything else one."""
    if not text.startswith(_IN):
        return (text,)
    try:
        (values,) = csv.reader([text.removeprefix(_IN)], strict=True)
    except (csv.Error, ValueError):
        raise ValueError('the values after "in:" are not a list: quote a value that holds a comma') from None
    return tuple(values)


Values = Annotated[tuple[str, ...], reads(read_values, str)]
Time = Annotated[When, reads(read_when, str)]


class ListImages(SortedPageQuery):
    """Filters; a key that is none of them is a property that must have the value."""

    id: Maybe[Values] = UNSET
    name: Maybe[Values] = UNSET
    status: Maybe[Values] = UNSET
    disk_format: Maybe[Values] = UNSET
    container_format: Maybe[Values] = UNSET
    owner: Maybe[str] = UNSET
    checksum: Maybe[str] = UNSET
    os_hash_value: Maybe[str] = UNSET
    protected: Maybe[Flag] = UNSET
    os_hidden: Flag = False
    min_disk: Maybe[int] = UNSET
    min_ram: Maybe[int] = UNSET
    size_min: Maybe[int] = UNSET
    size_max: Maybe[int] = UNSET
    created_at: Maybe[Time] = UNSET
    updated_at: Maybe[Time] = UNSET
    tag: Maybe[list[str]] = UNSET
    visibility: Maybe[Annotated[str, reads(one_of((*VISIBILITIES, "all")))]] = UNSET
    member_status: Annotated[str, reads(one_of((*MEMBER_STATUSES, "all")))] = "accepted"
    sort: Maybe[str] = UNSET
    properties: Annotated[dict[str, str], rest()] = msgspec.field(default_factory=dict)


_LISTS = ("id", "name", "status", "disk_format", "container_format")
_SINGLE: Mapping[str, str] = {
    "owner": "owner", "checksum": "checksum", "os_hash_value": "sha512", "protected": "protected", "os_hidden": "hidden",
    "min_disk": "min_disk", "min_ram": "min_ram",
}  # fmt: skip


def image_filter(query: ListImages) -> ImageFilter:
    """What the query asks of the store."""
    sent = {name: value for name in query.__struct_fields__ if (value := getattr(query, name)) is not UNSET}
    one_of_ = {name: sent[name] for name in _LISTS if name in sent}
    times = ((name, sent[name]) for name in ("created_at", "updated_at") if name in sent)
    return ImageFilter(
        one_of=one_of_ | {column: (sent[name],) for name, column in _SINGLE.items() if name in sent},
        size_min=sent.get("size_min"),
        size_max=sent.get("size_max"),
        times=tuple((name, when.way, when.moment) for name, when in times),
        tags=tuple(sent.get("tag", ())),
        properties=query.properties,
        visibility=sent.get("visibility"),
        member_status=query.member_status,
    )


def keyset(query: ListImages) -> Keyset:
    """The page asked for, one row longer, so that it is known whether there is more. Raises InvalidField, Rejected."""
    page = read_paging(_spelt_out(query), sortable=SORT_KEYS)
    return Keyset(limit=page.limit + 1, marker=page.marker, sort=page.sort)


def _spelt_out(query: ListImages) -> ListImages:
    """`sort=name:asc,size` as sort keys and directions."""
    if query.sort is UNSET:
        return query
    if query.sort_key is not UNSET or query.sort_dir is not UNSET:
        raise Rejected("The parameter sort excludes sort_key and sort_dir.")
    pairs = [part.strip().partition(":") for part in query.sort.split(",")]
    if any(not key for key, _, _ in pairs):
        raise InvalidField("sort", "a key is empty")
    changed: dict[str, Any] = {"sort_key": [p[0] for p in pairs], "sort_dir": [p[2] or "desc" for p in pairs]}
    return msgspec.structs.replace(query, **changed)
