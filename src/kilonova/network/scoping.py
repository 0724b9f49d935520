"""Whose a thing is that somebody asks for, or makes."""

from __future__ import annotations

from typing import TypeVar

from kilonova.domain.context import RequestContext
from kilonova.domain.errors import Missing, Rejected

T = TypeVar("T")


def found(thing: T | None, kind: str, ident: str) -> T:
    """The thing, or Missing: there is none, or none that the caller may know of."""
    if thing is None:
        raise Missing(kind, ident)
    return thing


def owner(ctx: RequestContext, asked: str | None) -> str:
    """The project a new thing belongs to: the caller's, or the one an administrator named. Raises Rejected."""
    if asked is not None and asked != ctx.project_id and not ctx.all_projects:
        raise Rejected(
            "Specifying 'project_id' or 'tenant_id' other than the authenticated project in request requires admin privileges"
        )
    project_id = asked or ctx.project_id
    if not project_id:
        raise Rejected("The thing would belong to no project: use a token scoped to one, or name it as 'project_id'.")
    return project_id
