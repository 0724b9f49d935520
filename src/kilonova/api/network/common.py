"""
What all resources of Network v2.0 share: lists with any filter, `fields`, pages in both directions, and creation in bulk.

A list filters by every attribute it shows. So each resource declares its `Attributes`: the wire name, the record's field, and
how the text of a query becomes its value; `read_listing` does the rest, and refuses what is no attribute.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Protocol, TypeVar
from urllib.parse import parse_qsl, urlencode

import msgspec
from msgspec import UNSET, UnsetType

from kilonova.api.framework import Maybe, Page, PageQuery, Params, Query, Request, View
from kilonova.api.framework.schema import fields_of
from kilonova.api.framework.types import Flag, read_flag, read_int, read_time
from kilonova.api.network.policies import FIELDS, HIDDEN
from kilonova.domain.context import RequestContext
from kilonova.domain.errors import InvalidField, Rejected
from kilonova.store.queries.network_rows import Listing

P = TypeVar("P", bound=Params)
Reader = Callable[[str], Any]
Attributes = Mapping[str, tuple[str, Reader]]
_PAGING = {"fields", "sort_key", "sort_dir", "limit", "marker", "page_reverse"}


class ListQuery(PageQuery):
    """What every list takes, beside its attributes as filters."""

    fields: Maybe[list[str]] = UNSET
    sort_key: Maybe[list[str]] = UNSET
    sort_dir: Maybe[list[str]] = UNSET
    page_reverse: Flag = False


class ShowQuery(Query):
    """Which attributes to show."""

    fields: Maybe[list[str]] = UNSET


class Owned(Protocol):
    """A creation with the two names of the thing's project."""

    project_id: Maybe[str]
    tenant_id: Maybe[str]


def text(value: str) -> str:
    """An attribute that is text."""
    return value


COMMON: Attributes = {
    "id": ("id", text),
    "name": ("name", text),
    "description": ("description", text),
    "project_id": ("project_id", text),
    "tenant_id": ("project_id", text),
    "revision_number": ("revision", read_int),
    "created_at": ("created_at", read_time),
    "updated_at": ("updated_at", read_time),
    "changed_since": ("changed_since", read_time),
}
TAGGED: Attributes = {name: (name, text) for name in ("tags", "tags-any", "not-tags", "not-tags-any")}
UNSORTED = {"changed_since", "fixed_ips", "security_groups", "status", *TAGGED}


def flag(field: str) -> tuple[str, Reader]:
    """An attribute that is true or false."""
    return field, read_flag


def number(field: str) -> tuple[str, Reader]:
    """An attribute that is a number."""
    return field, read_int


def scope(ctx: RequestContext) -> RequestContext:
    """An administrator sees every project's things, as in Neutron."""
    return ctx.across_projects() if ctx.is_admin else ctx


def read_listing(req: Request[None, Any], attributes: Attributes, kind: str = "") -> Listing:
    """
    What the query asks for; one row more than its limit. `kind` is the thing's name in rules, where some hide attributes.

    Raises InvalidField for what is no attribute, or none that the caller may see.
    """

    def is_known(name: str) -> bool:
        rule = f"get_{kind}:{name}"
        return name in attributes and (rule not in HIDDEN or req.can(rule))

    filters: dict[str, list[Any]] = {}
    for name, value in parse_qsl(req.query_string, keep_blank_values=True):
        if name in _PAGING:
            continue
        if not is_known(name):
            raise InvalidField(name[:64], "it is not an attribute that this list can be filtered by")
        field, reader = attributes[name]
        filters.setdefault(field, []).append(_read(name, reader, value))
    query = req.query
    return Listing(
        filters=filters,
        sort=_sort(query, attributes, is_known),
        marker=None if query.marker is UNSET else query.marker,
        limit=None if query.limit is UNSET or not query.limit else query.limit + 1,
        reverse=query.page_reverse,
    )


def _read(name: str, reader: Reader, value: str) -> Any:
    try:
        return reader(value)
    except ValueError as problem:
        raise InvalidField(name, str(problem)) from problem


def _sort(query: ListQuery, attributes: Attributes, is_known: Callable[[str], bool]) -> tuple[tuple[str, str], ...]:
    keys = [] if query.sort_key is UNSET else query.sort_key
    ways = [] if query.sort_dir is UNSET else query.sort_dir
    for key in keys:
        if key in UNSORTED or not is_known(key):
            raise InvalidField("sort_key", f"{key[:64]!r} is not an attribute that can be sorted by")
    if any(way not in ("asc", "desc") for way in ways):
        raise InvalidField("sort_dir", "it is neither asc nor desc")
    if len(ways) > len(keys):
        raise InvalidField("sort_dir", "The number of sort_keys and sort_dirs must be same")
    return tuple((attributes[key][0], way) for key, way in zip(keys, [*ways, *["asc"] * len(keys)], strict=False))


def page_of(req: Request[None, ListQuery], rows: Sequence[Any], view: Callable[[Any], View]) -> Page:
    """The rows as a page, with links to the next and the previous one where there is one."""
    limit = len(rows) if req.query.limit is UNSET or not req.query.limit else req.query.limit
    is_back, is_more = req.query.page_reverse, len(rows) > limit
    shown = rows[-limit:] if is_back and limit else rows[:limit]
    links = []
    came_from = req.query.marker is not UNSET
    if shown and (came_from if is_back else is_more):
        links.append({"rel": "next", "href": _href(req, shown[-1].id, is_back=False)})
    if shown and (is_more if is_back else came_from):
        links.append({"rel": "previous", "href": _href(req, shown[0].id, is_back=True)})
    return Page([only(view(row), req.query.fields) for row in shown], links=links)


def _href(req: Request[Any, Any], marker: str, *, is_back: bool) -> str:
    kept = [
        pair
        for pair in parse_qsl(req.query_string, keep_blank_values=True)
        if pair[0] not in ("marker", "page_reverse")
    ]
    pairs = [*kept, ("marker", marker), *([("page_reverse", "True")] if is_back else [])]
    return f"{req.url}?{urlencode(pairs)}"


def only(view: View, fields: list[str] | UnsetType) -> View:
    """The view with just the attributes that were asked for."""
    if fields is UNSET or not fields:
        return view
    for spec in fields_of(type(view)):
        if spec.name not in fields:
            setattr(view, spec.attr, UNSET)
    return view


def asked(one: P | UnsetType, many: list[P] | UnsetType, name: str) -> list[P]:
    """What a creation asks for, one thing or several. Raises Rejected."""
    if (one is UNSET) == (many is UNSET):
        raise Rejected(f"The body must have either '{name}' or '{name}s'.")
    if one is not UNSET:
        return [one]
    if many is UNSET or not many:
        raise Rejected(f"'{name}s' is empty: name at least one.")
    return many


def given(params: Params, *, but: Iterable[str] = ()) -> dict[str, Any]:
    """The fields that the client sent, by their names in the record; lists as tuples, as records have them."""
    left_out = {"project_id", "tenant_id", *but}
    pairs = ((name, getattr(params, name)) for name in params.__struct_fields__ if name not in left_out)
    return {name: tuple(value) if isinstance(value, list) else value for name, value in pairs if value is not UNSET}


def project_of(params: Owned) -> str | None:
    """The project that the client named, if any. Raises Rejected when it named two."""
    named = {one for one in (params.project_id, params.tenant_id) if one is not UNSET}
    if len(named) > 1:
        raise Rejected("'project_id' and 'tenant_id' are two names of one thing, and say different things.")
    return next(iter(named), None)


def authorize_fields(req: Request[Any, Any], rule: str, sent: Mapping[str, Any], target: Mapping[str, Any]) -> None:
    """Raise Denied where a rule of its own keeps the caller from setting an attribute."""
    own = FIELDS.get(rule, {})
    for name in sent:
        if name in own:
            req.authorize(own[name], target)


def changed_from(defaults: msgspec.Struct | type[msgspec.Struct], sent: Mapping[str, Any]) -> dict[str, Any]:
    """What was sent and differs from the default: only that needs a right of its own in a creation, as in Neutron."""
    fields = {field.name: field.default for field in msgspec.structs.fields(defaults)}
    return {name: value for name, value in sent.items() if fields.get(name, UNSET) != value}
