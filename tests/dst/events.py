"""
Time, events, and the lives of processes.

An event belongs to a life, or to nobody. A life that has ended acts no more: its events are dropped, and where it was paused it
finds out on its return (`Killed`). An exception that leaves an event of a life is that thread's own affair, as it would be in a
process: it is noted, and the world goes on.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from kilonova.rpc.bus import NoAnswer
from kilonova.store.away import DatabaseAway
from tests.dst.chance import Chance

DECLARED = (DatabaseAway, NoAnswer)  # what a handler, a timer or a request may raise when its world is struck
START = datetime(2026, 1, 1, tzinfo=UTC)
_LATER_S = 0.25
_DEEPEST = 4  # pauses within pauses
_MOST_STEPS = 15_000  # many times what a world takes


class Endless(AssertionError):
    """Something is done again and again."""


class Killed(BaseException):
    """This life is over; nothing of the product catches it."""

    def __init__(self, life: Life) -> None:
        super().__init__(life.name)
        self.life = life


class Life:
    """
    One run of a process: from its start until it is killed.

    While one thread of it is paused the others go on; all stand still when it `stops_whole`, for it does things under a lock.
    """

    def __init__(self, name: str, *, stops_whole: bool = False) -> None:
        self.name, self.stops_whole = name, stops_whole
        self.is_over = self.stands_still = False

    def check(self) -> None:
        """Raises Killed when it is over."""
        if self.is_over:
            raise Killed(self)

    def end(self) -> None:
        self.is_over = True


class Events:
    """The heap, and the time it has come to."""

    def __init__(self, chance: Chance) -> None:
        self.chance = chance
        self.now_s = 0.0
        self.steps = 0
        self.after_each: Callable[[], None] = lambda: None
        self._heap: list[tuple[float, int, Life | None, str, Callable[[], None]]] = []
        self._count = 0
        self._depth = 0

    def after(self, delay_s: float, life: Life | None, name: str, act: Callable[[], None]) -> int:
        """Let `act` happen in a while. Returns its number."""
        self._count += 1
        heapq.heappush(self._heap, (self.now_s + delay_s, self._count, life, name, act))
        return self._count

    def run(self, seconds: float) -> None:
        """Let everything happen that falls due within this time."""
        until = self.now_s + seconds
        while self._heap and self._heap[0][0] <= until:
            at, _, life, name, act = heapq.heappop(self._heap)
            self.now_s = max(self.now_s, at)
            if life is not None and life.stands_still:
                self.after(_LATER_S, life, name, act)
            elif life is None or not life.is_over:
                self._happen(life, name, act)
        self.now_s = max(self.now_s, until)

    def pause(self, life: Life, seconds: float) -> None:
        """This life goes on only after a while; others act meanwhile. Raises Killed when it did not live through it."""
        if self._depth < _DEEPEST:
            self._depth += 1
            life.stands_still = life.stops_whole
            try:
                self.run(seconds)
            finally:
                self._depth -= 1
                life.stands_still = False
        life.check()

    def _happen(self, life: Life | None, name: str, act: Callable[[], None]) -> None:
        self.steps += 1
        if self.steps > _MOST_STEPS:
            raise Endless(f"no rest after {self.steps} events; the last is {name!r}")
        self.chance.note(f"{self.now_s:.6f}", name)
        try:
            act()
        except Killed as killed:
            if killed.life is not life:
                raise
        except Exception as error:
            if life is None:
                raise
            self.chance.raised("raised", name, error, DECLARED)
        self.after_each()


class LifeClock:
    """The clock of one life: the world's, seen with its machine's error of `skew` seconds (asked each time)."""

    def __init__(self, events: Events, life: Life, skew: Callable[[], float]) -> None:
        self._events, self._life, self._skew = events, life, skew

    def now(self) -> datetime:
        return START + timedelta(seconds=round(self._events.now_s + self._skew(), 6))

    def monotonic(self) -> float:
        return self._events.now_s

    def call_later(self, delay_s: float, fn: Callable[[], None]) -> Callable[[], None]:
        cancelled: list[bool] = []

        def fire() -> None:
            if not cancelled:
                fn()

        self._events.after(delay_s, self._life, f"{self._life.name} timer", fire)
        return lambda: cancelled.append(True)
