"""A row of `servers` as the domain's `Server`."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

from sqlalchemy import BigInteger, Text, type_coerce
from sqlalchemy.engine.default import DefaultDialect
from sqlalchemy.types import TypeEngine

from kilonova.domain.server import Intent, Lifecycle, PowerState, Server
from kilonova.store.tables.compute import servers
from kilonova.store.types import Instant, Json

_NAMES = tuple(servers.c.keys())
_ENUMS: dict[str, dict[Any, Any]] = {
    "lifecycle": {one.value: one for one in Lifecycle},
    "intent": {one.value: one for one in Intent},
    "power_state": {one.value: one for one in PowerState},
}
_STORED_AS: dict[type, TypeEngine[Any]] = {Json: Text(), Instant: BigInteger()}
_DIALECT = DefaultDialect()  # our types read the same of every database

# A page's columns as they are stored, for `servers_of`.
STORED = tuple(
    type_coerce(column, _STORED_AS[type(column.type)]).label(column.name) if type(column.type) in _STORED_AS else column
    for column in servers.c
)
_READ: tuple[tuple[int, Callable[[Any], Any]], ...] = tuple(
    (place, partial(column.type.process_result_value, dialect=_DIALECT))
    for place, column in enumerate(servers.c)
    if isinstance(column.type, Json | Instant)
)


def server_of(row: Any) -> Server:
    """The struct of a whole row, its columns in the table's order."""
    fields = dict(zip(_NAMES, row, strict=True))
    for name, members in _ENUMS.items():
        fields[name] = members[fields[name]]
    return Server(**fields)


def servers_of(rows: Iterable[Any]) -> list[Server]:
    """
    The structs of rows of the `STORED` columns.

    For lists of a thousand: a page's servers have flavors, metadata and times in common; what is written alike is read once
    and shared, which nobody notices because the structs are frozen.
    """
    readers = [(place, _Known(read)) for place, read in _READ]
    found = []
    for row in rows:
        values = list(row)
        for place, known in readers:
            values[place] = known[values[place]]
        found.append(server_of(values))
    return found


class _Known(dict[Any, Any]):
    """What was read of each stored value so far."""

    def __init__(self, read: Callable[[Any], Any]) -> None:
        super().__init__()
        self._read = read

    def __missing__(self, stored: Any) -> Any:
        value = self[stored] = self._read(stored)
        return value
