"""For what happens a thousand times a second and is worth a line of the log now and then."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable

_MOST_KEYS = 1000


class Seldom:
    """
    Says whether it is time to tell of something again.

    Called with a key it gives 0, or how often that key was seen since it was told of last, this time included. Of many keys the
    oldest are forgotten.
    """

    def __init__(self, every_s: float = 30.0, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._every_s, self._monotonic = every_s, monotonic
        self._lock = threading.Lock()
        self._seen: OrderedDict[str, tuple[float, int]] = OrderedDict()

    def __call__(self, key: str) -> int:
        """One more of it."""
        now = self._monotonic()
        with self._lock:
            told_at, times = self._seen.pop(key, (now - self._every_s, 0))
            is_due = now - told_at >= self._every_s
            self._seen[key] = (now, 0) if is_due else (told_at, times + 1)
            if len(self._seen) > _MOST_KEYS:
                self._seen.popitem(last=False)
        return times + 1 if is_due else 0
