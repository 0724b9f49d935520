"""Carries a schedule out, in one thread: each strike's blow, and its end some seconds later, in the order of their times."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from threading import Event

from tests.chaos.storm.clouds import StormCloud
from tests.chaos.storm.schedule import Strike


class Strikes:
    """`done` counts what has struck, by kind; `faults_of` gives the fault points of a process that is started."""

    def __init__(self, cloud: StormCloud, seed: int, rate: float) -> None:
        self._cloud, self._seed, self._rate = cloud, seed, rate
        self._starts: Counter[str] = Counter()
        self.done: Counter[str] = Counter()

    def begin(self) -> None:
        """Have every process start anew, so that message faults befall it once they are armed."""
        for path in self._cloud.armed():
            path.touch()
        for kind in ("api", "conductor", "scheduler", "agent"):
            for name in self._cloud.targets[kind]:
                self._cloud.kill(name)
                self._start(name)
        self._cloud.wait_ready()

    def carry_out(self, strikes: list[Strike], say: Callable[[str], None], stop_after_s: float) -> None:
        """All that begin before `stop_after_s`; every one that began is ended."""
        began = time.monotonic()
        blows = [(strike.at_s, 0, strike) for strike in strikes if strike.at_s < stop_after_s]
        ends = [(strike.at_s + strike.for_s, 1, strike) for _, _, strike in blows]
        for at_s, is_end, strike in sorted([*blows, *ends]):
            Event().wait(max(0.0, began + at_s - time.monotonic()))
            if is_end:
                self._end(strike)
            else:
                say(f"{time.monotonic() - began:6.1f} s  {strike.kind} {strike.target} {strike.fuse}")
                self._strike(strike)
                self.done[strike.kind] += 1

    def end(self) -> None:
        """No more message faults; processes go on as they are."""
        for path in self._cloud.armed():
            path.unlink()

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
                self._start(strike.target, strike.fuse)

    def _end(self, strike: Strike) -> None:
        match strike.kind:
            case "rabbitmq" | "postgresql":
                self._cloud.start_engine(strike.target)
            case "cut_off" | "lost_host":
                self._cloud.mend(strike.target)
            case "hang" | "two_owners":
                self._cloud.thaw(strike.target)
            case "kill":
                self._start(strike.target)
            case _:
                self._cloud.kill(strike.target)
                self._start(strike.target)

    def _start(self, name: str, fuse: str = "") -> None:
        self._starts[name] += 1
        messages = f"messages:{self._seed}.{name}.{self._starts[name]}:{self._rate}:{self._cloud.armed_there}"
        self._cloud.start(name, ",".join(filter(None, (fuse, messages))))
