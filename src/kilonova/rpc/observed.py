"""
A bus that is watched: every message is counted and timed, and those that speak of a user's request leave a line in the log.

With the line, and with the request id bound while a message is handled, a request can be followed by its id through the logs of
every process that had a part in it. Heartbeats and stages speak of no request, or too often, and leave none.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection

import structlog
from prometheus_client import CollectorRegistry, Counter, Histogram

from kilonova.rpc.bus import Bus, Handler
from kilonova.rpc.commands import Command
from kilonova.rpc.messages import Message, Progress, Report

_BUCKETS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 30.0)
_log = structlog.get_logger(__name__)


class ObservedBus:
    """Passes everything on to another bus."""

    def __init__(self, bus: Bus, registry: CollectorRegistry) -> None:
        self._bus = bus
        self._sent = Counter("kilonova_bus_sent", "Messages handed to the bus", ("way", "message"), registry=registry)
        self._failed = Counter(
            "kilonova_bus_failed", "Messages that a handler failed on", ("topic", "message"), registry=registry
        )
        self._seconds = Histogram(
            "kilonova_bus_handled_seconds", "Time to handle a message", ("topic", "message"), registry=registry,
            buckets=_BUCKETS,
        )  # fmt: skip

    def serve(self, topic: str, handler: Handler, *, workers: int = 1) -> Callable[[], None]:
        kind = topic.partition(".")[0]  # not agent.HOST: a label for each of a thousand hosts helps nobody
        return self._bus.serve(topic, lambda message: self._handle(kind, handler, message), workers=workers)

    def cast(self, topic: str, message: Message) -> None:
        self._sent.labels("cast", type(message).__name__).inc()
        self._bus.cast(topic, message)

    def call(self, topic: str, message: Message, *, timeout_s: float = 10.0) -> Message:
        self._sent.labels("call", type(message).__name__).inc()
        return self._bus.call(topic, message, timeout_s=timeout_s)

    def fanout(self, topic: str, message: Message) -> None:
        self._sent.labels("fanout", type(message).__name__).inc()
        self._bus.fanout(topic, message)

    def follow(self, topic: str, subjects: Collection[str]) -> None:
        self._bus.follow(topic, subjects)

    def close(self) -> None:
        self._bus.close()

    def _handle(self, topic: str, handler: Handler, message: Message) -> Message | None:
        name, began = type(message).__name__, time.perf_counter()
        with structlog.contextvars.bound_contextvars(**_bound(message)):
            try:
                answer = handler(message)
            except Exception:
                self._failed.labels(topic, name).inc()
                raise
            took_s = time.perf_counter() - began
            self._seconds.labels(topic, name).observe(took_s)
            if message.request_id and not isinstance(message, Progress):
                _log.info("handled", message=name, ms=round(took_s * 1000, 2))
        return answer


def _bound(message: Message) -> dict[str, str]:
    if not message.request_id:
        return {}
    subject = message.subject if isinstance(message, Command | Report | Progress) else None
    return {"request_id": message.request_id} | ({} if subject is None else {subject.kind.value: subject.id})
