"""Fills both databases with the same rows: every table, every column, of values that are hard to treat alike."""

from __future__ import annotations

import zlib
from typing import Any

from sqlalchemy import Column, Table, delete, insert
from sqlalchemy.exc import IntegrityError
from sqlalchemy.types import BigInteger, Boolean, Float, Integer, LargeBinary, String, Text

from kilonova.domain.saga import Event, SagaStatus, SubjectKind
from kilonova.domain.server import Intent, Lifecycle, PowerState
from kilonova.store.database import Database
from kilonova.store.tables import metadata
from kilonova.store.tables.events import events
from kilonova.store.types import Instant, Json
from tests.component.store.alike.values import INSTANTS, ROWS, SMALL, ident, made, text

TRIES = 400
_COUNTS = {
    "request_specs": ROWS // 2,  # servers that have none yet are given one
    "server_group_members": ROWS // 2,  # a server is in one group: others can join yet
    "port_security_groups": 4 * ROWS,  # a port is in several
    "group_members": 3 * ROWS,
    "assignments": 3 * ROWS,
}
_ENUMS: dict[tuple[str, str], list[Any]] = {
    ("servers", "lifecycle"): list(Lifecycle), ("servers", "intent"): list(Intent),
    ("servers", "power_state"): [int(one) for one in PowerState], ("servers", "saga"): [None, "boot", "delete"],
    ("sagas", "status"): list(SagaStatus), ("sagas", "kind"): ["boot", "delete"], ("sagas", "params"): ["{}", "[]"],
    ("sagas", "reply"): [None, "{}"], ("sagas", "subject_kind"): list(SubjectKind), ("saga_events", "event"): list(Event),
    ("saga_events", "result"): ["null", '{"host": "h1"}', "[]"], ("claims", "role"): ["current", "target", "source"],
    ("images", "status"): ["queued", "saving", "active", "deactivated", "deleted"], ("networks", "kind"): ["flat", "vxlan"],
    ("image_members", "status"): ["accepted", "pending", "rejected"], ("network_changes", "kind"): ["network", "group", "port"],
    ("ports", "status"): ["ACTIVE", "DOWN"], ("quota_limits", "user_id"): ["", "user-1"],
    ("quota_limits", "project_id"): ["default", "p1", "P1", "é"],
}  # fmt: skip


def seed(first: Database, second: Database) -> dict[str, int]:
    """Write the rows that the first takes to both; how many there are of each table. What only one of them takes is an error."""
    counts = {}
    for table in metadata.sorted_tables:
        if table is events:
            continue
        rows: list[dict[str, Any]] = []
        for number in range(TRIES):
            if len(rows) == _COUNTS.get(table.name, ROWS):
                break
            row = {one.key: value(table, one, number) for one in table.columns if not _is_serial(one)}
            if _is_own_id(table):
                row["id"] = ident(table.name, len(rows))
            if _is_taken(first, table, row):
                rows.append(row)
                with second.write() as tx:
                    tx.execute(insert(table), row)
        counts[table.name] = len(rows)
    for one in (
        first,
        second,
    ):  # triggers wrote them; their order is each engine's own: tests/component/store/test_events.py
        with one.write() as tx:
            tx.execute(delete(events))
    return counts


def _is_taken(db: Database, table: Table, row: dict[str, Any]) -> bool:
    try:
        with db.write() as tx:
            tx.execute(insert(table), row)
    except IntegrityError:
        return False
    return True


def _is_serial(column: Column[Any]) -> bool:
    return bool(column.table.autoincrement_column is column and isinstance(column.type, Integer))


def _is_own_id(table: Table) -> bool:
    return "id" in table.columns and isinstance(table.columns["id"].type, String)


def value(table: Table, column: Column[Any], number: int) -> Any:
    """What a row has in a column: each column goes its own way, so that values meet in many ways."""
    is_key = bool(column.primary_key or column.unique)
    if is_key and column.foreign_keys and column is not next(iter(table.primary_key), column):
        number = number * 5 + 7 * (number // ROWS)  # of two keys, each with several of the other
    turn = number if is_key else zlib.crc32(f"{table.name} {column.key} {number}".encode()) % 1000
    chosen = _ENUMS.get((table.name, column.key))
    if chosen:
        return chosen[turn % len(chosen)]
    if column.nullable and turn % 4 == 3:
        return None
    for key in column.foreign_keys:
        return value(key.column.table, key.column, turn % ROWS)
    if column.key == "id" and isinstance(column.type, String):
        return ident(table.name, number)
    return _by_type(column, turn)


def _by_type(column: Column[Any], number: int) -> Any:  # noqa: PLR0911 - one for each type
    kind: Any = column.type
    if isinstance(kind, Instant):
        return INSTANTS[number % len(INSTANTS)]
    if isinstance(kind, Json):
        return made(kind.of, number)
    if isinstance(kind, Boolean):
        return bool(number % 2)
    if isinstance(kind, Float):
        return float(number % 3) + 1.0
    if isinstance(kind, Integer | BigInteger):
        return number if column.unique or column.primary_key else SMALL[number % len(SMALL)]
    if isinstance(kind, LargeBinary):
        return number.to_bytes(16)
    assert isinstance(kind, String | Text), column
    return text(column.key, number, kind.length)
