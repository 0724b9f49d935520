"""
The sagas that a conductor knows to be able to go on, in a lane for each project.

Lanes are served in turn, one saga each, so that a project that boots a thousand servers delays another project's one by no more
than the turns of the lanes there are. A saga waits once, however often it is named. A lane holds a bounded number: what does not
fit is left in the records, where the runner's pass finds it again, so memory is bounded and nothing is lost.
"""

from __future__ import annotations

import threading
from collections import deque

LANE_HOLDS = 2000


class Lanes:
    """Names of sagas, given out fairly. Thread-safe."""

    def __init__(self, lane_holds: int = LANE_HOLDS) -> None:
        self._lane_holds = lane_holds
        self._lanes: dict[str, deque[str]] = {}  # never an empty one
        self._turns: deque[str] = deque()  # the lanes there are, the next to be served first
        self._names: set[str] = set()
        self._changed = threading.Condition()
        self._closed = False

    def put(self, lane: str, name: str) -> bool:
        """Let a saga wait for its turn; False when its lane is full. One that waits already waits on."""
        with self._changed:
            if name in self._names:
                return True
            waiting = self._lanes.get(lane)
            if waiting is None:
                waiting = self._lanes[lane] = deque()
                self._turns.append(lane)
            elif len(waiting) >= self._lane_holds:
                return False
            waiting.append(name)
            self._names.add(name)
            self._changed.notify()
            return True

    def take(self) -> str | None:
        """The next one, waited for; None once closed."""
        with self._changed:
            while not self._closed and not self._turns:
                self._changed.wait()
            return None if self._closed else self._next()

    def take_now(self) -> str | None:
        """The next one, None when there is none at the moment."""
        with self._changed:
            return self._next() if self._turns else None

    def close(self) -> None:
        """Give out no more. What still waits is found in the records by whoever comes next."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def __len__(self) -> int:
        """How many wait."""
        return len(self._names)

    def _next(self) -> str:
        lane = self._turns.popleft()
        waiting = self._lanes[lane]
        name = waiting.popleft()
        self._names.discard(name)
        if waiting:
            self._turns.append(lane)
        else:
            del self._lanes[lane]
        return name
