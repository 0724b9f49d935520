"""How much of the service one guest may have: connections at a time, and requests over time. Pure but for its lock."""

from __future__ import annotations

import threading
from dataclasses import dataclass

Guest = tuple[str, str]  # network id, address


@dataclass(frozen=True)
class Limits:
    """The bounds. A cloud-init asks some 60 questions in its first second, and then almost none."""

    connections: int = 256
    connections_per_guest: int = 8
    burst: int = 200
    requests_per_s: float = 20
    seconds_per_connection: float = 15
    request_bytes: int = 4096


class Admission:
    """Counts connections and requests by guest."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._lock = threading.Lock()
        self._open: dict[Guest, int] = {}
        self._buckets: dict[Guest, tuple[float, float]] = {}  # requests left, as of when

    def enter(self, guest: Guest) -> bool:
        """Whether the guest may have one more connection; if so it counts until `leave`."""
        with self._lock:
            mine = self._open.get(guest, 0)
            if mine >= self._limits.connections_per_guest or sum(self._open.values()) >= self._limits.connections:
                return False
            self._open[guest] = mine + 1
            return True

    def leave(self, guest: Guest) -> None:
        """A connection that was let in has ended."""
        with self._lock:
            mine = self._open.pop(guest, 0) - 1
            if mine > 0:
                self._open[guest] = mine

    def spend(self, guest: Guest, now: float) -> bool:
        """Whether the guest may have one more answer at `now` (seconds of any steady clock)."""
        with self._lock:
            left, since = self._buckets.get(guest, (float(self._limits.burst), now))
            left = min(self._limits.burst, left + (now - since) * self._limits.requests_per_s)
            allowed = left >= 1
            self._buckets[guest] = (left - 1 if allowed else left, now)
            return allowed

    def forget(self, network_id: str) -> None:
        """Nobody of this network will ask again."""
        with self._lock:
            self._buckets = {guest: bucket for guest, bucket in self._buckets.items() if guest[0] != network_id}
