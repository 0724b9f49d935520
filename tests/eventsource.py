"""A source of events in memory, for what reads one."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Sequence

from kilonova.api.framework.events import Event


class MemoryEvents:
    """`add` from any thread. `oldest`: what is kept begins after it."""

    def __init__(self) -> None:
        self._events: list[Event] = []
        self._lock, self._waiting = threading.Lock(), list[tuple[asyncio.AbstractEventLoop, asyncio.Event]]()
        self.oldest = 0
        self.reads = 0

    def add(self, kind: str, project_id: str | None = "abc", data: bytes = b"{}") -> int:
        """One more; its id."""
        with self._lock:
            self._events.append(Event(len(self._events) + 1, kind, project_id, data))
            for loop, event in self._waiting:
                loop.call_soon_threadsafe(event.set)
            self._waiting.clear()
            return len(self._events)

    def span(self) -> tuple[int, int]:
        with self._lock:
            return self.oldest, len(self._events)

    def after(self, cursor: int, limit: int) -> Sequence[Event]:
        with self._lock:
            self.reads += 1
            return self._events[cursor : cursor + limit]

    async def wait(self, cursor: int) -> None:
        event = asyncio.Event()
        with self._lock:
            if len(self._events) > cursor:
                return
            self._waiting.append((asyncio.get_running_loop(), event))
        await event.wait()
