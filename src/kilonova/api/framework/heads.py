"""
HTTP over a socket, with heads that must end.

uvicorn reads a request's line and headers for as long as a client sends them, in size and in time. Here they have a limit of
each, from the first byte that could be theirs: 431 and 408 end the connection. Bodies are bounded by the rim, which knows whose
they are. Between requests, and until a request's head is whole, a connection costs no thread.
"""

from __future__ import annotations

import asyncio
from http import HTTPStatus
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

HEAD_BYTES = 64 << 10
HEAD_S = 20.0


class BoundedHeads(HttpToolsProtocol):
    """uvicorn's `http` protocol class; what it does not bound is bounded here."""

    head_bytes, head_s = HEAD_BYTES, HEAD_S
    _received = 0
    _deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: Any) -> None:
        """The first head begins with the connection: one that says nothing must not stay either."""
        super().connection_made(transport)
        self._expect_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """Nothing is expected of it any more."""
        self._head_ended()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Count what comes while a head is not whole. What else came with a head's end is the body's, and not counted."""
        self._received += len(data)
        super().data_received(data)
        if self._deadline is not None and self._received > self.head_bytes:
            self._refuse(
                HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, f"The head is longer than {self.head_bytes} bytes."
            )

    def on_message_begin(self) -> None:
        """A request on a kept connection has its own limits."""
        super().on_message_begin()
        if self._deadline is None:
            self._expect_head()

    def on_headers_complete(self) -> None:
        """The head is whole."""
        self._head_ended()
        super().on_headers_complete()

    def _expect_head(self) -> None:
        self._received = 0
        self._deadline = self.loop.call_later(self.head_s, self._too_slow)

    def _head_ended(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _too_slow(self) -> None:
        self._refuse(HTTPStatus.REQUEST_TIMEOUT, f"The head did not end within {self.head_s:.0f} s.")

    def _refuse(self, status: HTTPStatus, why: str) -> None:
        self._head_ended()
        if self.transport.is_closing():
            return
        head = f"HTTP/1.1 {status.value} {status.phrase}\r\ncontent-type: text/plain; charset=utf-8\r\n"
        self.transport.write(f"{head}content-length: {len(why)}\r\nconnection: close\r\n\r\n{why}".encode("ascii"))
        self.transport.close()
