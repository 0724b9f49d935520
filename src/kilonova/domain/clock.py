"""Time and chance, injected: the simulator and the fault tests replace them, production uses the real ones."""

from __future__ import annotations

import heapq
import random
import threading
import time
import uuid
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    """What any code that needs the time is given."""

    def now(self) -> datetime:
        """The wall clock, timezone-aware UTC."""

    def monotonic(self) -> float:
        """Seconds from an arbitrary start; never goes back."""

    def call_later(self, delay_s: float, fn: Callable[[], None]) -> Callable[[], None]:
        """Run `fn` once after `delay_s` seconds in another thread; the result cancels it. `fn` must be quick and not raise."""


class SystemClock:
    """The machine's own clock. All timers share one thread, begun with the first of them."""

    def __init__(self) -> None:
        self._timers: list[tuple[float, int, Callable[[], None]]] = []
        self._waiting: set[int] = set()  # numbers of the timers that have neither run nor been cancelled
        self._count = 0
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None

    def now(self) -> datetime:
        """The wall clock, timezone-aware UTC."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """Seconds from an arbitrary start."""
        return time.monotonic()

    def call_later(self, delay_s: float, fn: Callable[[], None]) -> Callable[[], None]:
        """Run `fn` once after `delay_s` seconds in the timer thread."""
        with self._changed:
            self._count += 1
            number = self._count
            self._waiting.add(number)
            heapq.heappush(self._timers, (time.monotonic() + delay_s, number, fn))
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="timers", daemon=True)
                self._thread.start()
            if self._timers[0][1] == number:
                self._changed.notify()
        return lambda: self._waiting.discard(number)

    def _run(self) -> None:
        while True:
            self._wait_for_next()()

    def _wait_for_next(self) -> Callable[[], None]:
        with self._changed:
            while True:
                wait_s = self._timers[0][0] - time.monotonic() if self._timers else None
                if wait_s is None or wait_s > 0:
                    self._changed.wait(wait_s)
                    continue
                _, number, fn = heapq.heappop(self._timers)
                if number in self._waiting:
                    self._waiting.discard(number)
                    return fn


class Ids:
    """Where new identifiers come from: random, or from a seed so that a run can be replayed."""

    def __init__(self, rng: random.Random | None = None) -> None:
        self._rng = rng or random.SystemRandom()

    def uuid(self) -> str:
        """A version 4 UUID in its canonical form."""
        return str(uuid.UUID(int=self._rng.getrandbits(128), version=4))
