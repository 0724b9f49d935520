"""A row of `servers` as the domain's `Server`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Text, type_coerce
from sqlalchemy.engine.default import DefaultDialect

from kilonova.domain.server import Intent, Lifecycle, PowerState, Server
from kilonova.store.tables.compute import servers
from kilonova.store.types import Json

_PLACES = {name: place for place, name in enumerate(servers.c.keys())}
_ENUMS: tuple[tuple[int, dict[Any, Any]], ...] = (
    (_PLACES["lifecycle"], {one.value: one for one in Lifecycle}),
    (_PLACES["intent"], {one.value: one for one in Intent}),
    (_PLACES["power_state"], {one.value: one for one in PowerState}),
)
_JSON = tuple((_PLACES[column.name], column.type) for column in servers.c if isinstance(column.type, Json))
_DIALECT = DefaultDialect()  # JSON reads the same of every database

# A page's columns, the JSON ones as text, for `servers_of`.
STORED = tuple(
    type_coerce(column, Text).label(column.name) if isinstance(column.type, Json) else column for column in servers.c
)


def server_of(row: Sequence[Any]) -> Server:
    """The struct of a whole row, its columns in the table's order, which is that of the struct's fields."""
    values = list(row)
    for place, members in _ENUMS:
        values[place] = members[values[place]]
    return Server(*values)


def servers_of(rows: Sequence[Any]) -> list[Server]:
    """
    The structs of rows of the `STORED` columns.

    For lists of a thousand: a page's servers have flavors, metadata and tags in common; what is written alike is read once
    and shared, which nobody notices because the structs are frozen.
    """
    if not rows:
        return []
    columns: list[Any] = list(zip(*rows, strict=True))
    for place, kind in _JSON:
        columns[place] = map(_Known(kind).__getitem__, columns[place])
    return list(map(server_of, zip(*columns, strict=True)))


class _Known(dict[Any, Any]):
    """What was read of each stored value so far."""

    def __init__(self, kind: Json) -> None:
        super().__init__()
        self._kind = kind

    def __missing__(self, stored: Any) -> Any:
        value = self[stored] = self._kind.process_result_value(stored, _DIALECT)
        return value
