"""Hosts' clocks may be wrong, so nothing that a host says carries a time: when it was said is said by who hears it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec
import pytest

from kilonova.domain.placement import Decision
from kilonova.rpc.messages import (
    ConsoleOutput,
    Heartbeat,
    HostObserved,
    HostStarted,
    Inventory,
    PowerChanged,
    Progress,
    Report,
    Uptime,
)
from kilonova.store.queries.stages import StageReached

FROM_HOSTS = (
    ConsoleOutput, Heartbeat, HostObserved, HostStarted, Inventory, PowerChanged, Progress, Report, Uptime,
)  # fmt: skip
_TIMES = (msgspec.inspect.DateTimeType, msgspec.inspect.TimeType, msgspec.inspect.TimeDeltaType)


def times(node: Any, where: str, seen: set[Any]) -> Iterator[str]:
    """Where in a type a time is."""
    if isinstance(node, _TIMES):
        yield where
        return
    if isinstance(node, msgspec.inspect.StructType):
        if node.cls in seen:
            return
        seen.add(node.cls)
        for field in node.fields:
            yield from times(field.type, f"{where}.{field.name}", seen)
    for name in ("item_type", "key_type", "value_type"):
        if (inner := getattr(node, name, None)) is not None:
            yield from times(inner, where, seen)
    for name in ("item_types", "types"):
        for inner in getattr(node, name, ()):
            yield from times(inner, where, seen)


def found_in(message: type) -> list[str]:
    return list(times(msgspec.inspect.type_info(message), message.__name__, set()))


@pytest.mark.parametrize("message", FROM_HOSTS)
def test_no_message_of_a_host_carries_a_time(message: type) -> None:
    assert found_in(message) == []


def test_a_time_would_be_found() -> None:
    assert found_in(StageReached) == ["StageReached.started_at"]
    assert found_in(Decision) == []
