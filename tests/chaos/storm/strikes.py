"""Carries a schedule out, in one thread: each strike's blow, and its end some seconds later, in the order of their times."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from threading import Event

from tests.chaos.storm.clouds import StormCloud
from tests.chaos.storm.schedule import Strike


class Strikes:
    """`done` counts what has struck, by kind."""

    def __init__(self, cloud: StormCloud) -> None:
        self._cloud = cloud
        self.done: Counter[str] = Counter()

    def arm(self) -> None:
        """Let messages meet faults, too."""
        for path in self._cloud.armed():
            path.touch()

    def disarm(self) -> None:
        """No more of that; processes go on as they are."""
        for path in self._cloud.armed():
            path.unlink()

    def carry_out(self, strikes: list[Strike], say: Callable[[str], None], stop_after_s: float) -> None:
        """All that can begin within `stop_after_s`; every one that began is ended. Late ones strike late, and in their order."""
        began = time.monotonic()
        under_way: set[Strike] = set()
        blows = [(strike.at_s, 0, strike) for strike in strikes]
        ends = [(strike.at_s + strike.for_s, 1, strike) for strike in strikes]
        for at_s, _, strike in sorted([*blows, *ends]):
            is_late = time.monotonic() - began > stop_after_s
            if not is_late:
                Event().wait(max(0.0, began + at_s - time.monotonic()))
            if strike in under_way:
                under_way.remove(strike)
                self._end(strike)
            elif not is_late:
                under_way.add(strike)
                say(f"{time.monotonic() - began:6.1f} s  {strike.kind} {strike.target} {strike.fuse}")
                self._strike(strike)
                self.done[strike.kind] += 1

    def _strike(self, strike: Strike) -> None:
        match strike.kind:
            case "rabbitmq" | "postgresql":
                self._cloud.stop_engine(strike.target)
            case "cut_off" | "lost_host":
                self._cloud.cut(strike.target)
            case "hang" | "two_owners":
                self._cloud.freeze(strike.target)
            case "kill":
                self._cloud.kill(strike.target)
            case _:
                self._cloud.kill(strike.target)
                self._cloud.start(strike.target, strike.fuse)

    def _end(self, strike: Strike) -> None:
        match strike.kind:
            case "rabbitmq" | "postgresql":
                self._cloud.start_engine(strike.target)
            case "cut_off" | "lost_host":
                self._cloud.mend(strike.target)
            case "hang" | "two_owners":
                self._cloud.thaw(strike.target)
            case "kill":
                self._cloud.start(strike.target)
            case _:
                self._cloud.kill(strike.target)
                self._cloud.start(strike.target)
