"""How alembic runs the steps, and writes new ones: on the connection it is handed, in one transaction."""

from __future__ import annotations

from typing import Any, Literal

from alembic import context
from alembic.autogenerate.api import AutogenContext

from kilonova.store.tables import metadata
from kilonova.store.types import Instant, Json


def render_item(kind: str, thing: Any, _autogen: AutogenContext) -> str | Literal[False]:
    """Write our column types as what they are in the database: a step must not change when they do."""
    if kind == "type" and isinstance(thing, Instant):
        return "sa.BigInteger()"
    if kind == "type" and isinstance(thing, Json):
        return "sa.Text()"
    return False


context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    include_object=context.config.attributes.get("include_object"),
    render_as_batch=True,  # SQLite alters a table by making it anew
    render_item=render_item,
    compare_type=True,
)
with context.begin_transaction():
    context.run_migrations()
