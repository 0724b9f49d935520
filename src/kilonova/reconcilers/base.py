"""
How reconcilers are run: each in its own thread, one activation at a time, when woken and every `period_s` seconds.

A reconciler takes no arguments, so a lost wake-up costs time and nothing else, and it retries nothing: its next activation is
the retry. What its last activation did is kept for operators to see.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable
from datetime import datetime
from typing import Protocol

import msgspec
import structlog

from kilonova.domain.clock import Clock
from kilonova.store.again import until_done

_log = structlog.get_logger(__name__)


class Reconciler(Protocol):
    """One reconciler."""

    name: str
    period_s: float

    def activate(self) -> dict[str, int]:
        """Look, and act. Returns what was done, as counts."""


class LastRun(msgspec.Struct, frozen=True, kw_only=True):
    """What a reconciler last did."""

    name: str
    at: datetime | None = None
    took_s: float = 0.0
    did: dict[str, int] = {}
    error: str | None = None


class Reconcilers:
    """Runs reconcilers in the background."""

    def __init__(self, reconcilers: Iterable[Reconciler], clock: Clock) -> None:
        self._clock = clock
        self._loops = {reconciler.name: _Loop(reconciler, clock) for reconciler in reconcilers}

    def start(self) -> None:
        """Begin; each runs at once."""
        for loop in self._loops.values():
            loop.thread.start()

    def stop(self) -> None:
        """Finish the activations under way, and end."""
        for loop in self._loops.values():
            loop.stopping = True
            loop.woken.set()
        for loop in self._loops.values():
            loop.thread.join()

    def wake(self, name: str) -> None:
        """Run this one soon."""
        self._loops[name].woken.set()

    def get(self, name: str) -> Reconciler:
        """The one of this name."""
        return self._loops[name].reconciler

    def last_runs(self) -> list[LastRun]:
        """What each did last."""
        return [loop.last for loop in self._loops.values()]


class _Loop:
    def __init__(self, reconciler: Reconciler, clock: Clock) -> None:
        self.reconciler, self.clock = reconciler, clock
        self.woken = threading.Event()
        self.stopping = False
        self.last = LastRun(name=reconciler.name)
        self.thread = threading.Thread(target=self._run, name=f"reconcile-{reconciler.name}", daemon=True)

    def _run(self) -> None:
        while not self.stopping:
            self.woken.clear()
            self._activate()
            self.woken.wait(self.reconciler.period_s)

    def _activate(self) -> None:
        began, at = self.clock.monotonic(), self.clock.now()
        name = self.reconciler.name
        try:
            did = until_done(self.reconciler.activate)
            self.last = LastRun(name=name, at=at, took_s=self.clock.monotonic() - began, did=did)
        except Exception as error:  # noqa: BLE001 - the next activation is the retry
            _log.exception("a reconciler failed; it runs again soon", reconciler=name)
            self.last = LastRun(name=name, at=at, took_s=self.clock.monotonic() - began, error=type(error).__name__)
