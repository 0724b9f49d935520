"""How Identity lists: filters by name, Keystone's `links` beside the items, ids of things in a body."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import msgspec

from kilonova.api.framework import UNSET, Maybe, Page, PageQuery, Params, Request, View, cut, next_url, read_paging
from kilonova.domain.errors import Missing
from kilonova.identity.service import Identity
from kilonova.store.queries import identity as nouns
from kilonova.store.queries.identity import Listing

T = TypeVar("T", bound=msgspec.Struct)
V = TypeVar("V", bound=View)

_WAYS = ("contains", "icontains", "startswith", "istartswith", "endswith", "iendswith")


class NameQuery(PageQuery):
    """Filters that every list of named things has."""

    name: Maybe[str] = UNSET
    name__contains: Maybe[str] = UNSET
    name__icontains: Maybe[str] = UNSET
    name__startswith: Maybe[str] = UNSET
    name__istartswith: Maybe[str] = UNSET
    name__endswith: Maybe[str] = UNSET
    name__iendswith: Maybe[str] = UNSET


def listing(
    query: PageQuery, *columns: str, only: tuple[str, ...] | None = None, where: tuple[Any, ...] = ()
) -> Listing:
    """What a query asks of the database: `columns` are compared with the parameters of the same names, where these were sent."""
    texts = ((way, getattr(query, f"name__{way}", UNSET)) for way in _WAYS)
    page = read_paging(query)
    return Listing(
        equal={name: value for name in columns if (value := getattr(query, name)) is not UNSET},
        name=tuple((way, text) for way, text in texts if text is not UNSET and text),
        only=only,
        where=where,
        marker=page.marker,
        limit=page.limit + 1,
    )


def list_page(
    identity: Identity, req: Request[Any, Any], kind: type[T], wanted: Listing, view: Callable[[T], V]
) -> Page:
    """Read a page of things, and show it."""
    with identity.database.read() as tx:
        things = nouns.listed(tx, kind, wanted)
    shown, more = cut(things, (wanted.limit or 1) - 1)
    return linked(req, [view(thing) for thing in shown], shown[-1].id if more else None)  # type: ignore[attr-defined]


def linked(req: Request[Any, Any], views: Sequence[Any], marker: str | None = None) -> Page:
    """Items with Keystone's links beside them; `marker` is the last one's id where there are more."""
    here = f"{req.url}?{req.query_string}" if req.query_string else req.url
    following = None if marker is None else next_url(req, marker)
    return Page(views, extra={"links": {"next": following, "previous": None, "self": here}})


def given(params: Params) -> dict[str, Any]:
    """What a client sent, without what it did not."""
    sent = ((name, getattr(params, name)) for name in params.__struct_fields__)
    return {name: value for name, value in sent if value is not UNSET}


def described(params: Params) -> dict[str, Any]:
    """As `given`; a description of null is an empty one."""
    found = given(params)
    if "description" in found:
        found["description"] = found["description"] or ""
    return found


def read_one(identity: Identity, kind: type[T], ident: str) -> T:
    """One thing; raises Missing."""
    with identity.database.read() as tx:
        return nouns.get(tx, kind, ident)


def read_own(identity: Identity, req: Request[Any, Any], kind: type[T], rule: str, target: str) -> T:
    """
    The thing that the path's `{target}` names, if policy lets the caller see it; else it is missing, as others' things are.

    Policy is asked before the database: who may not see it learns nothing, not even by the clock.
    """
    ident = req.path[target]
    if not req.can(rule, {target: ident}):
        raise Missing(nouns.word(kind).capitalize(), ident[:64])
    return read_one(identity, kind, ident)
