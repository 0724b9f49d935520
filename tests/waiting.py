"""Waiting for a level, with a bound."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any


def wait_until(level: Callable[[], Any], what: str, seconds: float = 60.0) -> Any:
    """Wait for something to be true, not for ever; gives it."""
    end = time.monotonic() + seconds
    while not (found := level()):
        assert time.monotonic() < end, f"{what}: not within {seconds:.0f} s"
        time.sleep(0.03)
    return found
