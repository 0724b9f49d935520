"""
What the bus costs: casts that the broker has confirmed, casts that were handled, and the round trip of a call.

A RabbitMQ of the benchmark's own, on the disk that temporary files are on. Sender and receiver are two buses in one process, so
the figures are of both together, and of the broker beside them on the same cores.
"""

from __future__ import annotations

import threading
import time

from benchmarks.section import Section, at_most, spread_ms
from kilonova.rpc.amqp import AmqpBus
from kilonova.rpc.bus import Bus
from kilonova.rpc.inprocess import InProcessBus
from kilonova.rpc.messages import Message, Ok, SagaReady
from tests import brokers

CALL_P99_MS = 20.0
_WAIT_S = 120.0


def main(*, quick: bool = False) -> Section:
    casts, calls = (2_000, 300) if quick else (10_000, 2_000)
    with brokers.broker() as broker:
        if broker is None:
            raise RuntimeError("RabbitMQ is not installed: apt-get install rabbitmq-server")
        with broker.vhost() as url:
            sender, receiver = AmqpBus(url), AmqpBus(url)
            try:
                found = _casts(sender, receiver, casts) | {"call_ms": _calls(sender, receiver, calls)}
            finally:
                sender.close()
                receiver.close()
    bus = InProcessBus()
    found["in_process_call_ms"] = _calls(bus, bus, calls)
    return Section(
        what=f"{casts} casts through a quorum queue, {calls} calls one after the other",
        how="RabbitMQ on this machine; a cast counts as sent when the broker has confirmed it, as handled when acknowledged",
        figures=[at_most("call, p99", found["call_ms"]["p99"], "ms", CALL_P99_MS)],
        detail=found,
    )


def _casts(sender: AmqpBus, receiver: AmqpBus, count: int) -> dict[str, object]:
    """First with nobody there to take them, then the queue is emptied."""
    stop = receiver.serve("bench", lambda _: Ok())
    stop()
    began = time.perf_counter()
    for number in range(count):
        sender.cast("bench", SagaReady(saga_id=str(number)))
    handed_over = time.perf_counter() - began
    while sender.state()[1:3] != (0, 0):
        time.sleep(0.001)
    confirmed = time.perf_counter() - began
    handled = _Count(count)
    began = time.perf_counter()
    stop = receiver.serve("bench", handled, workers=2)
    handled.wait()
    emptied = time.perf_counter() - began
    stop()
    return {
        "cast_us": round(handed_over / count * 1e6, 1),
        "confirmed_casts_per_s": round(count / confirmed),
        "handled_casts_per_s": round(count / emptied),
        "dropped": sender.state().dropped,
    }


def _calls(caller: Bus, answerer: Bus, count: int) -> dict[str, float]:
    stop = answerer.serve("answer", lambda _: Ok())
    times = []
    for _ in range(count):
        began = time.perf_counter()
        caller.call("answer", Ok())
        times.append(time.perf_counter() - began)
    stop()
    return spread_ms(times)


class _Count:
    """A handler that counts."""

    def __init__(self, wanted: int) -> None:
        self._missing, self._done, self._lock = wanted, threading.Event(), threading.Lock()

    def __call__(self, _: Message) -> Message:
        with self._lock:
            self._missing -= 1
            if not self._missing:
                self._done.set()
        return Ok()

    def wait(self) -> None:
        if not self._done.wait(_WAIT_S):
            raise TimeoutError(f"{self._missing} messages were not handled in {_WAIT_S:.0f} s")
