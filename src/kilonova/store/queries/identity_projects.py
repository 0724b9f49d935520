"""Projects by their tags."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec
from sqlalchemy import ColumnElement, Text, and_, not_, or_, type_coerce

from kilonova.store.queries.identity import text_matches
from kilonova.store.tables.identity import projects


def tagged(filters: Mapping[str, list[str]]) -> tuple[ColumnElement[bool], ...]:
    """
    Keystone's four tag filters: `tags` (has all), `tags_any` (has one), `not_tags` (lacks one), `not_tags_any` (lacks all).

    Tags are kept as a JSON list; a tag in its JSON form, quotes included, occurs in that text only as that tag.
    """
    ways = {
        "tags": lambda has: and_(*has),
        "tags_any": lambda has: or_(*has),
        "not_tags": lambda has: not_(and_(*has)),
        "not_tags_any": lambda has: not_(or_(*has)),
    }
    text = type_coerce(projects.c.tags, Text)
    return tuple(
        ways[way]([text_matches(text, "contains", msgspec.json.encode(tag).decode()) for tag in tags])
        for way, tags in filters.items()
    )
