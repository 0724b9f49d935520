"""Projects by their tags."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import msgspec
from sqlalchemy import ColumnElement, and_, not_, or_

from kilonova.store.queries.text import contains
from kilonova.store.tables.identity import projects


def tagged(filters: Mapping[str, list[str]]) -> tuple[ColumnElement[bool], ...]:
    """
    Keystone's four tag filters: `tags` (has all), `tags_any` (has one), `not_tags` (lacks one), `not_tags_any` (lacks all).

    Tags are kept as a JSON list; a tag in its JSON form, quotes included, occurs in that text only as that tag.
    """
    ways: dict[str, Callable[[list[ColumnElement[bool]]], ColumnElement[bool]]] = {
        "tags": lambda has: and_(*has),
        "tags_any": lambda has: or_(*has),
        "not_tags": lambda has: not_(and_(*has)),
        "not_tags_any": lambda has: not_(or_(*has)),
    }
    return tuple(
        ways[way]([contains(projects.c.tags, msgspec.json.encode(tag).decode()) for tag in tags])
        for way, tags in filters.items()
    )
