"""A clock for worlds without time of their own."""

from __future__ import annotations

import heapq
from collections.abc import Callable
from datetime import UTC, datetime, timedelta


class ManualClock:
    """Stands still until `advance`; timers run in the thread that advances it, in order."""

    def __init__(self) -> None:
        self._start = datetime(2026, 1, 1, tzinfo=UTC)
        self._passed_s = 0.0
        self._timers: list[tuple[float, int, Callable[[], None]]] = []
        self._cancelled: set[int] = set()
        self._count = 0

    def now(self) -> datetime:
        return self._start + timedelta(seconds=self._passed_s)

    def monotonic(self) -> float:
        return self._passed_s

    def call_later(self, delay_s: float, fn: Callable[[], None]) -> Callable[[], None]:
        self._count += 1
        number = self._count
        heapq.heappush(self._timers, (self._passed_s + delay_s, number, fn))
        return lambda: self._cancelled.add(number)

    def advance(self, seconds: float) -> None:
        """Let `seconds` pass, running what falls due on the way."""
        until = self._passed_s + seconds
        while self._timers and self._timers[0][0] <= until:
            at, number, fn = heapq.heappop(self._timers)
            self._passed_s = max(self._passed_s, at)
            if number not in self._cancelled:
                fn()
        self._passed_s = until

    def forget_timers(self) -> None:
        """The process that set them is dead."""
        self._timers.clear()
