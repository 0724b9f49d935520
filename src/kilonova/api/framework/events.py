"""
Server-sent events: one reader of the source, and any number of clients that cost a coroutine each.

    source ──after(cursor)──► pump ──► a bounded queue for each client ──► the client

Nothing here holds a thread while nothing happens: the pump alone waits for the source, and borrows a thread for each batch. A
client that comes with Last-Event-ID reads for itself, batch by batch, until it is where the pump is, and then joins. Who does
not take what is queued is told so by an `overflow` event and let go, and finds what it missed when it comes again; nobody waits
for it.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import suppress
from typing import NamedTuple, Protocol, TypeVar

import anyio
import anyio.to_thread
import msgspec
import structlog
from starlette.requests import Request
from starlette.responses import StreamingResponse

from kilonova.api.framework.bodies import Receive, Scope, Send
from kilonova.api.framework.errors import BadMethod
from kilonova.domain.context import RequestContext
from kilonova.domain.errors import Rejected, Unavailable
from kilonova.seldom import Seldom

T = TypeVar("T")
_BATCH = 256
_THREADS = 2
_AGAIN_S = 1.0
_MOST_DIGITS = 18
_HEAD = {"Cache-Control": "no-store", "X-Accel-Buffering": "no", "Connection": "close"}
_log = structlog.get_logger(__name__)


class Event(NamedTuple):
    """One. `data` is a JSON document without line breaks; `project_id` None is for administrators alone."""

    id: int
    kind: str
    project_id: str | None
    data: bytes


class EventSource(Protocol):
    """Ordered events: none appears with an id below one that was given out."""

    def span(self) -> tuple[int, int]:
        """The cursors (oldest, newest): after `oldest` everything is kept, after `newest` there is nothing yet. May block."""

    def after(self, cursor: int, limit: int) -> Sequence[Event]:
        """The first `limit` events after a cursor. May block."""

    async def wait(self, cursor: int) -> None:
        """Return when there may be events after the cursor; at once, when there are."""


class EventStream:
    """
    The ASGI app of an `events` mount with a token. `heartbeat_s`: a comment is sent after so much silence. `backlog`: events that
    may wait for one client. `life_s`: so long is a token's word taken; who comes again after that is asked for it again.
    """

    def __init__(
        self, source: EventSource, *, heartbeat_s: float = 15.0, backlog: int = 1024, life_s: float = 3600.0
    ) -> None:
        self._source, self._heartbeat_s, self._backlog, self._life_s = source, heartbeat_s, backlog, life_s
        self._readers: set[_Reader] = set()
        self._cursor = 0  # of the pump, while there are readers
        self._pump: asyncio.Task[None] | None = None
        self._is_leaving, self._tell = False, Seldom()
        self._threads = anyio.CapacityLimiter(_THREADS)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One client's stream. Raises BadMethod, Rejected, Unavailable."""
        request = Request(scope, receive)
        if request.method != "GET":
            raise BadMethod(request.method, ("GET",))
        if self._is_leaving:
            raise Unavailable("This API is being stopped.", next_step="Connect again.")
        resumed = _cursor(request.headers.get("last-event-id"))
        oldest, newest = await self._ask(self._source.span)
        reader = _Reader(request.state.context, self._backlog)
        reader.cursor = newest if resumed is None else resumed
        if not oldest <= reader.cursor <= newest:
            reader.put(_said("gap", "What came after your Last-Event-ID is not kept any more: read anew."))
            reader.cursor = newest
        frames = self._frames(reader, newest)
        try:
            await StreamingResponse(frames, headers=_HEAD, media_type="text/event-stream")(scope, receive, send)
        finally:
            self._part(reader)

    def leave(self) -> None:
        """End all streams, and take no more."""
        self._is_leaving = True
        for reader in self._readers:
            reader.end(b": this API is being stopped\n\n")

    async def _frames(self, reader: _Reader, newest: int) -> AsyncIterator[bytes]:
        yield b": welcome\n\n" + reader.take()
        while reader.cursor < (self._cursor if self._readers else newest):
            batch = await self._ask(lambda: self._source.after(reader.cursor, _BATCH))
            for event in batch:
                if reader.sees(event):
                    yield _frame(event)
            reader.cursor = batch[-1].id if batch else max(newest, self._cursor)
            if self._is_leaving:
                return
        self._join(reader)
        end = anyio.current_time() + self._life_s
        while anyio.current_time() < end:
            if frames := reader.take():
                yield frames
            elif reader.is_over:
                return
            elif not await reader.ready(self._heartbeat_s):
                yield b": heartbeat\n\n"

    def _join(self, reader: _Reader) -> None:
        if not self._readers:
            self._cursor = reader.cursor
            self._pump = asyncio.get_running_loop().create_task(self._hand_out())
        self._readers.add(reader)
        if self._is_leaving:
            reader.end(b"")

    def _part(self, reader: _Reader) -> None:
        self._readers.discard(reader)
        if not self._readers and self._pump is not None:
            self._pump.cancel()
            self._pump = None

    async def _hand_out(self) -> None:
        """The pump. A source that fails is asked again: whoever listens hears the heartbeats meanwhile."""
        while True:
            try:
                await self._source.wait(self._cursor)
                batch = await self._ask(lambda: self._source.after(self._cursor, _BATCH))
            except Exception as problem:  # noqa: BLE001 -- a database that is away, say
                if times := self._tell(type(problem).__name__):
                    _log.warning("events cannot be read", problem=str(problem), times=times)
                await anyio.sleep(_AGAIN_S)
                continue
            for event in batch:
                self._cursor, frame = event.id, _frame(event)
                for reader in self._readers:
                    if event.id > reader.cursor and reader.sees(event):
                        reader.put(frame)

    async def _ask(self, what: Callable[[], T]) -> T:
        return await anyio.to_thread.run_sync(what, limiter=self._threads)


class _Reader:
    """What waits for one client. `cursor`: it has seen everything up to there."""

    def __init__(self, context: RequestContext, backlog: int) -> None:
        self._context, self._backlog = context, backlog
        self._waiting: deque[bytes] = deque()
        self._wake = asyncio.Event()
        self.cursor, self.is_over = 0, False

    def sees(self, event: Event) -> bool:
        """Whether it is this caller's to know."""
        return self._context.is_admin or (event.project_id is not None and event.project_id == self._context.project_id)

    def put(self, frame: bytes) -> None:
        """One more, or the end when there is no room."""
        if self.is_over:
            return
        if len(self._waiting) >= self._backlog:
            self._waiting.clear()
            self.end(_said("overflow", "You read too slowly and were let go: connect again with Last-Event-ID."))
            return
        self._waiting.append(frame)
        self._wake.set()

    def end(self, frame: bytes) -> None:
        """Nothing comes after this."""
        if not self.is_over:
            self._waiting.append(frame)
            self.is_over = True
            self._wake.set()

    def take(self) -> bytes:
        """All that waits."""
        frames = b"".join(self._waiting)
        self._waiting.clear()
        self._wake.clear()
        return frames

    async def ready(self, seconds: float) -> bool:
        """Wait until something is there, so long at most."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                return await self._wake.wait()
        return False


def _cursor(text: str | None) -> int | None:
    if text is None or not text:
        return None
    if not (text.isascii() and text.isdigit() and len(text) <= _MOST_DIGITS):
        raise Rejected(
            "Last-Event-ID is not an id of these events.", next_step="Send one that you were given, or none."
        )
    return int(text)


def _frame(event: Event) -> bytes:
    return b"id: %d\nevent: %s\ndata: %s\n\n" % (event.id, event.kind.encode(), event.data)


def _said(kind: str, message: str) -> bytes:
    return b"event: %s\ndata: %s\n\n" % (kind.encode(), msgspec.json.encode({"message": message}))
