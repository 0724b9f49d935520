"""
The socket under a connection: closed without losing the last answer, and watched for how fast it moves.

    open ──close──► FIN sent, once all is ── the client closes, or is silent, or takes too long ──► closed

A socket that is closed while bytes of its client are unread, or still on their way, is reset by the kernel, and a reset throws
away the answer that the client had not read yet. So our half is closed first; what the client still says is read and dropped.
"""

from __future__ import annotations

import asyncio
import fcntl
import struct
import termios
from collections.abc import Callable
from socket import SO_LINGER, SOL_SOCKET
from typing import Any

_MOST_LINGERS = 6


class LingeringTransport(asyncio.Transport):
    """
    A transport over another. `linger_s`: how long the other end may be silent once our half is closed; in all it has six times
    that. `on_backlog` is called whenever what was written could not be sent at once.
    """

    def __init__(self, inner: asyncio.Transport, linger_s: float, on_backlog: Callable[[], None]) -> None:
        super().__init__()
        self._inner, self._loop, self._on_backlog = inner, asyncio.get_running_loop(), on_backlog
        self._linger_s, self._linger_most_s = linger_s, linger_s * _MOST_LINGERS
        self._written = self._dropped = self._dropped_before = 0
        self._closing_since: float | None = None
        self._timer: asyncio.TimerHandle | None = None
        self.resumed_at = 0.0

    @property
    def backlog(self) -> int:
        """Bytes that wait in this process."""
        return self._inner.get_write_buffer_size()

    def taken(self) -> int:
        """Bytes that the other end has received: neither here nor in the kernel any more."""
        descriptor = self._inner.get_extra_info("socket").fileno()
        if descriptor < 0:
            return self._written
        (in_kernel,) = struct.unpack("i", fcntl.ioctl(descriptor, termios.TIOCOUTQ, bytes(4)))
        return self._written - self.backlog - int(in_kernel)

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        """Have another protocol hear what comes: a websocket's."""
        self._inner.set_protocol(protocol)

    def write(self, data: Any) -> None:
        """Send, but nothing more once it closes."""
        if self._closing_since is None:
            self._written += len(data)
            self._inner.write(data)
            if self.backlog:
                self._on_backlog()

    def close(self) -> None:
        """Send what was written, then FIN; listen to the other end no longer than it takes."""
        if self._closing_since is not None:
            return
        self._closing_since = self._loop.time()
        if not self._linger_s:
            self._inner.close()
            return
        try:
            self._inner.write_eof()
        except OSError:  # the other end is gone
            self._inner.abort()
            return
        self._inner.resume_reading()
        self._timer = self._loop.call_later(self._linger_s, self._look)

    def hasten(self, linger_s: float) -> None:
        """Wait for the other end no longer than this from now on; 0: not at all."""
        self._linger_s = self._linger_most_s = linger_s
        if self._timer is not None:
            self._timer.cancel()
            self._timer = self._loop.call_later(linger_s, self._look) if linger_s else None
            if not linger_s:
                self._inner.close()

    def drop(self, data: bytes) -> None:
        """What came after the end."""
        self._dropped += len(data)

    def lost(self) -> None:
        """The socket is gone."""
        if self._closing_since is None:
            self._closing_since = self._loop.time()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def abort(self) -> None:
        """Close at once, by a reset: what was not taken is not to wait in the kernel either."""
        if (socket := self._inner.get_extra_info("socket")).fileno() >= 0:
            socket.setsockopt(SOL_SOCKET, SO_LINGER, struct.pack("ii", 1, 0))
        self._inner.abort()

    def is_closing(self) -> bool:
        """Whether nothing more is sent."""
        return self._closing_since is not None or self._inner.is_closing()

    def pause_reading(self) -> None:
        """Let the other end wait."""
        if self._closing_since is None:
            self._inner.pause_reading()

    def resume_reading(self) -> None:
        """Let it go on."""
        self.resumed_at = self._loop.time()
        self._inner.resume_reading()

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        """As the transport says."""
        return self._inner.get_extra_info(name, default)

    def _look(self) -> None:
        """Whether it was lingered long enough. Who takes our answer too slowly is the connection's business."""
        lingers_for = self._loop.time() - (self._closing_since or 0.0)
        if self.backlog or (self._dropped > self._dropped_before and lingers_for < self._linger_most_s):
            self._dropped_before = self._dropped
            self._timer = self._loop.call_later(self._linger_s, self._look)
        else:
            self._timer = None
            self._inner.close()
