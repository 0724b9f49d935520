"""Waiting for a level, with a bound."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any


def within(seconds: float, work: Callable[[], Any]) -> Any:
    """What the work gives. Raises TimeoutError if it has not ended by then: a bound for what would hang, and no measure."""
    done: Future[Any] = Future()

    def run() -> None:
        try:
            done.set_result(work())
        except BaseException as error:  # noqa: BLE001 - it is raised where it is waited for
            done.set_exception(error)

    threading.Thread(target=run, daemon=True).start()
    return done.result(seconds)


def wait_until(level: Callable[[], Any], what: str, seconds: float = 60.0) -> Any:
    """Wait for something to be true, not for ever; gives it."""
    end = time.monotonic() + seconds
    while not (found := level()):
        assert time.monotonic() < end, f"{what}: not within {seconds:.0f} s"
        time.sleep(0.03)
    return found
