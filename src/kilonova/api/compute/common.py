"""What the compute resources share: links, paging by keyset, and the scope in which a thing is looked for."""

from __future__ import annotations

from typing import Any

from kilonova.api.framework import UNSET, Maybe, Paging, Request, View
from kilonova.domain.context import RequestContext
from kilonova.store.queries.keyset import Keyset

ELSEWHERE = {"project_id": "somebody else's project", "user_id": "somebody else"}
"""A policy target that is not the caller's own: who may act on it may look across projects."""


class Link(View):
    """Where a thing can be found."""

    rel: str
    href: str
    type: Maybe[str] = UNSET


class Named(View):
    """A thing known by name alone."""

    name: str


def links(req: Request[Any, Any], collection: str, ident: str) -> list[Link]:
    """A thing's own URL, and the one without a version."""
    return [Link(rel="self", href=f"{req.base_url}/{collection}/{ident}"), bookmark(req, collection, ident)]


def bookmark(req: Request[Any, Any], collection: str, ident: str) -> Link:
    """A thing's URL without a version."""
    return Link(rel="bookmark", href=f"{req.root_url}/{collection}/{ident}")


def scope(req: Request[Any, Any], rule: str) -> RequestContext:
    """The caller, across projects where policy lets him do `rule` to another's thing."""
    return req.ctx.across_projects() if req.can(rule, ELSEWHERE) else req.ctx


def one_more(page: Paging, sort: tuple[tuple[str, str], ...] | None = None) -> Keyset:
    """The keyset of a page, with one row more, to know whether there is another page; `sort` names columns."""
    return Keyset(limit=page.limit + 1, marker=page.marker, sort=page.sort if sort is None else sort)


def or_none(value: Any) -> Any:
    """A value, None where it was not sent."""
    return None if value is UNSET else value
