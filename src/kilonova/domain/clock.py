"""Time and chance, injected: the simulator and the fault tests replace them, production uses the real ones."""

from __future__ import annotations

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
        """Run `fn` once after `delay_s` seconds in another thread; the result cancels it."""


class SystemClock:
    """The machine's own clock."""

    def now(self) -> datetime:
        """The wall clock, timezone-aware UTC."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """Seconds from an arbitrary start."""
        return time.monotonic()

    def call_later(self, delay_s: float, fn: Callable[[], None]) -> Callable[[], None]:
        """Run `fn` once after `delay_s` seconds in a timer thread."""
        timer = threading.Timer(delay_s, fn)
        timer.daemon = True
        timer.start()
        return timer.cancel


class Ids:
    """Where new identifiers come from: random, or from a seed so that a run can be replayed."""

    def __init__(self, rng: random.Random | None = None) -> None:
        self._rng = rng or random.SystemRandom()

    def uuid(self) -> str:
        """A version 4 UUID in its canonical form."""
        return str(uuid.UUID(int=self._rng.getrandbits(128), version=4))
