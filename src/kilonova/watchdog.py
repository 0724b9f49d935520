"""What is done when something takes too long, by another thread than the one that does it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def watchdog(seconds: float, act: Callable[[], None]) -> Iterator[None]:
    """Call `act`, in a thread of its own, if the block has not ended after so long. The block goes on."""
    timer = threading.Timer(seconds, act)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
