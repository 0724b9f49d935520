"""
HTTP over a socket, with clients that must get on with it.

uvicorn waits for as long as a client likes. Here a request's line and headers have a limit of size and of time, from the first
byte that could be theirs (431, 408); a body must come, and an answer be taken, at a least rate (408, or the connection ends);
and who connects beyond the bounds is told so (429, 503). Only the client's own slowness counts: while we do not read, because an
upload waits for a disk, or have not said `100 Continue` yet, no time passes. Until a request is whole it costs no thread.
"""

from __future__ import annotations

import asyncio
from functools import partial
from http import HTTPStatus
from typing import Any, cast

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from kilonova.api.framework.connections import Connections
from kilonova.api.framework.transport import LingeringTransport
from kilonova.api.framework.upgrade import WebSocket

_LOOKS = 4  # in a window: how exactly it is known when a client's turn began
_LINGER_AT_END_S = 0.5
_RETRY_AFTER_S = 2


class Connection(HttpToolsProtocol):
    """uvicorn's `http` protocol class; what it does not bound is bounded here. `table` is the listener's."""

    _wire: LingeringTransport
    _surplus: HTTPStatus | None = None
    _received = _head = 0
    _deadline: asyncio.TimerHandle | None = None
    _look: asyncio.TimerHandle | None = None

    def __init__(self, table: Connections, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._table, self._limits = table, table.limits
        self.ws_protocol_class = cast("type[asyncio.Protocol]", partial(WebSocket, self))
        self._sends, self._takes = _Pace(table.limits), _Pace(table.limits)

    def connection_made(self, transport: Any) -> None:
        """The first head begins with the connection: one that says nothing must not stay either."""
        self._wire = LingeringTransport(transport, self._limits.linger_s, self._watch)
        super().connection_made(self._wire)
        self._surplus = self._table.came(self, self._address())
        self._expect_head(self._limits.head_s if self._surplus is None else self._limits.surplus_head_s)

    def connection_lost(self, exc: Exception | None) -> None:
        """Nothing is expected of it any more."""
        self.ended()
        super().connection_lost(exc)

    def ended(self) -> None:
        """The socket is gone, whoever heard it last."""
        self._wire.lost()
        self._head_ended()
        if self._look is not None:
            self._look.cancel()
        self._table.went(self)

    def abort(self) -> None:
        """End it at once."""
        self._wire.abort()

    def part(self) -> None:
        """Wait for the other end no longer: the loop ends, and with it whatever would still send."""
        self._wire.hasten(0)
        if self._wire.backlog:
            self._wire.abort()

    def shutdown(self) -> None:
        """The listener ends, and clients that are done need not be waited for long."""
        self.hasten()
        super().shutdown()

    def hasten(self) -> None:
        """Wait for the other end no longer than a moment."""
        self._wire.hasten(_LINGER_AT_END_S)

    def handle_websocket_upgrade(self) -> None:
        """The connection goes on as a websocket, unless its head was refused."""
        if not self._wire.is_closing():
            super().handle_websocket_upgrade()

    def data_received(self, data: bytes) -> None:
        """Count what comes while a head is not whole. What else came with a head's end is the body's, and not counted."""
        if self._wire.is_closing():
            self._wire.drop(data)
            return
        if self._deadline is None and self._is_idle():
            self._expect_head(self._limits.head_s)
        self._received += len(data)
        super().data_received(data)
        if self._deadline is not None and self._received - self._head > self._limits.head_bytes:
            size = self._limits.head_bytes
            self._refuse(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, f"The head is longer than {size} bytes.")
        elif self._lacks_body():
            self._watch()

    def on_message_begin(self) -> None:
        """A request on a kept connection has its own limits."""
        if self._wire.is_closing():
            return
        super().on_message_begin()
        if self._deadline is None:
            self._expect_head(self._limits.head_s)

    def on_headers_complete(self) -> None:
        """The head is whole."""
        if self._wire.is_closing():
            return
        self._head_ended()
        is_websocket = self.parser.should_upgrade() and self._should_upgrade()
        if is_websocket and not self._is_idle():
            self._refuse(HTTPStatus.BAD_REQUEST, "A websocket cannot be opened while a request is under way.")
        elif self._surplus is None:
            super().on_headers_complete()
        elif not is_websocket and self.url.partition(b"?")[0] in self._limits.always_answered:
            super().on_headers_complete()
            self.cycle.keep_alive = False
        else:
            self._refuse(self._surplus, "There are too many connections. Try again in a few seconds.")

    def on_body(self, body: bytes) -> None:
        """A part of it."""
        if not self._wire.is_closing():
            super().on_body(body)

    def on_message_complete(self) -> None:
        """The request is whole."""
        if not self._wire.is_closing():
            super().on_message_complete()

    def on_response_complete(self) -> None:
        """A request that was answered before it was whole is its connection's last: where it ends is not waited for."""
        if not self.pipeline and self.cycle.response_complete and self.cycle.more_body:
            self._wire.close()
        super().on_response_complete()

    def _last(self) -> RequestResponseCycle | None:
        """The request whose head came last, if one has."""
        return self.cycle

    def _is_idle(self) -> bool:
        """Whether no request is under way, so that whatever comes is a head's."""
        cycle = self._last()
        return not self.pipeline and (cycle is None or (cycle.response_complete and not cycle.more_body))

    def _lacks_body(self) -> bool:
        """Whether a body is under way, whosever turn it is."""
        cycle = self._last()
        return cycle is not None and cycle.more_body and not (cycle.response_complete or cycle.disconnected)

    def _awaits_body(self) -> bool:
        """Whether it is the client's turn to send more of a body."""
        if not self._lacks_body() or self._wire.is_closing():
            return False
        return not (self.flow.read_paused or self.cycle.waiting_for_100_continue)

    def _expect_head(self, seconds: float) -> None:
        self._head = self._received
        self._deadline = self.loop.call_later(seconds, self._too_slow, seconds)

    def _head_ended(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _too_slow(self, seconds: float) -> None:
        if (cycle := self._last()) is not None and not cycle.response_complete:  # it is ours to answer the one before
            self._deadline = self.loop.call_later(seconds, self._too_slow, seconds)
            return
        self._refuse(HTTPStatus.REQUEST_TIMEOUT, f"The head did not end within {seconds:.0f} s.")

    def _watch(self) -> None:
        """Look at how the client gets on, from now until it need not."""
        if self._look is None:
            self._look = self.loop.call_later(self._limits.rate_window_s / _LOOKS, self._check)

    def _check(self) -> None:
        self._look, now = None, self.loop.time()
        is_sending, is_taking = self._awaits_body(), self._wire.backlog > 0
        if self._wire.resumed_at > self._sends.since:
            self._sends.restart()
        if is_taking and self._takes.is_too_slow(self._wire.taken(), now):
            self._table.turned_away("slow reader", self._address())
            self._wire.abort()
        elif is_sending and self._sends.is_too_slow(self._received, now):
            self._refuse(HTTPStatus.REQUEST_TIMEOUT, "The body came too slowly.")
        elif is_taking or self._lacks_body():
            self._watch()
        if not is_sending:
            self._sends.restart()
        if not is_taking:
            self._takes.restart()

    def _refuse(self, status: HTTPStatus, why: str) -> None:
        """Say so, unless an answer has begun, and end the connection; whoever works on the request is told as if it had left."""
        self._head_ended()
        if self._wire.is_closing():
            return
        self._table.turned_away(status.phrase.lower(), self._address())
        cycle = self._last()
        if cycle is not None and not cycle.response_complete:
            is_begun, cycle.disconnected = cycle.response_started, True
            cycle.message_event.set()
            if is_begun:
                self._wire.abort()
                return
        head = f"HTTP/1.1 {status.value} {status.phrase}\r\ncontent-type: text/plain; charset=utf-8\r\n"
        if status in (HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE):
            head += f"retry-after: {_RETRY_AFTER_S}\r\n"
        self._wire.write(f"{head}content-length: {len(why)}\r\nconnection: close\r\n\r\n{why}".encode("ascii"))
        self._wire.close()

    def _address(self) -> str:
        return self.client[0] if self.client else ""


class _Pace:
    """Whether a count of bytes that should grow grows fast enough, looked at several times in a window."""

    def __init__(self, limits: Any) -> None:
        self._window_s, self._least = limits.rate_window_s, limits.rate_window_s * limits.least_rate
        self.since, self._before = float("inf"), 0

    def restart(self) -> None:
        """It is somebody else's turn."""
        self.since = float("inf")

    def is_too_slow(self, count: int, now: float) -> bool:
        """Whether too little came in the window that ends now, if one does."""
        if now - self.since < self._window_s and self.since <= now:
            return False
        is_slow = self.since <= now and count - self._before < self._least
        self.since, self._before = now, count
        return is_slow
