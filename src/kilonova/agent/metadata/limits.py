"""How much of the service one server may have: connections at a time, requests over time, and its turn among the others. Pure."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Generic, TypeVar

T = TypeVar("T")
_MANY = 1000


@dataclass(frozen=True)
class MetadataLimits:
    """
    The bounds. A cloud-init asks some 60 questions in its first second, and then almost none.

    `seconds_to_ask` are for head and body together; `seconds_per_connection` for everything, the answer's way included.
    """

    connections: int = 1024
    connections_per_server: int = 8
    burst: int = 200
    requests_per_s: float = 20
    seconds_to_ask: float = 5
    seconds_per_connection: float = 15
    head_bytes: int = 8192
    body_bytes: int = 4096


class Buckets:
    """Counts requests by server: each may have `burst` at once, and `requests_per_s` of them come back."""

    def __init__(self, limits: MetadataLimits) -> None:
        self._limits = limits
        self._buckets: dict[str, tuple[float, float]] = {}  # requests left, as of when

    def spend(self, server: str, now: float) -> bool:
        """Whether the server may have one more answer at `now` (seconds of any steady clock)."""
        if len(self._buckets) > _MANY:
            self._buckets = {
                one: bucket for one, bucket in self._buckets.items() if self._left(one, now) < self._limits.burst
            }
        left = self._left(server, now)
        self._buckets[server] = (left - 1 if left >= 1 else left, now)
        return left >= 1

    def _left(self, server: str, now: float) -> float:
        left, since = self._buckets.get(server, (float(self._limits.burst), now))
        return min(self._limits.burst, left + (now - since) * self._limits.requests_per_s)


class Turns(Generic[T]):
    """What waits to be done, by server: they take turns, so each waits for one of every other's and never for all of one's."""

    def __init__(self) -> None:
        self._waiting: dict[str, deque[T]] = {}  # whose turn is next comes first

    def add(self, server: str, work: T) -> None:
        """One more for this server."""
        self._waiting.setdefault(server, deque()).append(work)

    def take(self) -> T | None:
        """The next; None when nothing waits."""
        if not self._waiting:
            return None
        server = next(iter(self._waiting))
        queue = self._waiting.pop(server)
        work = queue.popleft()
        if queue:
            self._waiting[server] = queue  # behind the others now
        return work
