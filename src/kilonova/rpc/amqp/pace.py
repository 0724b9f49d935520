"""How fast the transport tries again, how much it holds, how long it waits. Tests are quicker; nobody else has to choose."""

from __future__ import annotations

import random
from dataclasses import dataclass


@dataclass(frozen=True)
class Pace:
    """Times in seconds, sizes in messages."""

    heartbeat_s: float = 10.0  # two missed end a connection
    answer_s: float = 10.0  # how long the broker may take over one request, or a write over the socket
    reconnect_s: float = 0.2
    reconnect_most_s: float = 5.0
    retry_s: float = 0.5  # after the first failure of a handler; doubled with each
    retry_most_s: float = 8.0
    deliveries: int = 12  # a message whose handler failed that often is a dead letter: a minute in all
    settle_s: float = 5.0  # how long `serve` waits to be served
    drain_s: float = 10.0  # how long `close` waits for the broker to take what is in the outbox
    outbox: int = 10_000
    window: int = 500  # messages sent and not yet confirmed
    prefetch: int = 8  # messages held for each worker

    def reconnect_after(self, failures: int, rng: random.Random) -> float:
        """Seconds to wait after so many failures in a row: full jitter, so that a fleet does not come back as one."""
        most = min(self.reconnect_most_s, self.reconnect_s * 2.0 ** min(failures, 16))
        return rng.uniform(most / 4, most)

    def retry_after(self, deliveries: int) -> float:
        """Seconds to wait before a message whose handler failed comes again."""
        return min(self.retry_most_s, self.retry_s * 2.0 ** (deliveries - 1))
