"""How a process' bus fares, for its health and its metrics. No part of it reads the database: agents use it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple, Protocol, runtime_checkable

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from kilonova.daemon.health import Check
from kilonova.rpc.bus import Bus


class _State(Protocol):
    @property
    def connected(self) -> bool: ...
    @property
    def waiting(self) -> int: ...
    @property
    def unconfirmed(self) -> int: ...
    @property
    def dropped(self) -> int: ...
    @property
    def reconnects(self) -> int: ...
    @property
    def held(self) -> int: ...


class _Here(NamedTuple):
    connected: bool = True
    waiting: int = 0
    unconfirmed: int = 0
    dropped: int = 0
    reconnects: int = 0
    held: int = 0


@runtime_checkable
class _Remote(Protocol):
    """A bus that may be away."""

    def state(self) -> _State: ...


def bus_check(bus: Bus) -> Check:
    """What is wrong with the bus."""
    return lambda: "" if _state(bus).connected else "it is not connected"


class BusCollector(Collector):
    """The bus' state at each scrape."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus

    def collect(self) -> Iterator[Metric]:
        """Read it."""
        state = _state(self._bus)
        yield GaugeMetricFamily("kilonova_bus_connected", "Whether the bus is connected", value=float(state.connected))
        yield GaugeMetricFamily("kilonova_bus_waiting", "Messages that wait to be sent", value=state.waiting)
        yield GaugeMetricFamily("kilonova_bus_held", "Of these, those whose queue is full", value=state.held)
        yield GaugeMetricFamily(
            "kilonova_bus_unconfirmed", "Messages sent and not confirmed yet", value=state.unconfirmed
        )
        yield CounterMetricFamily(
            "kilonova_bus_dropped", "Messages given up, the outbox being full", value=state.dropped
        )
        yield CounterMetricFamily("kilonova_bus_reconnects", "Connections lost so far", value=state.reconnects)


def _state(bus: Bus) -> _State:
    return bus.state() if isinstance(bus, _Remote) else _Here()
