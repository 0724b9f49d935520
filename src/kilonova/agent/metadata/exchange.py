"""One connection: a request read in pieces, and an answer written in pieces, whoever is slow. Nothing here waits."""

from __future__ import annotations

import re
import socket
from enum import Enum, auto

from kilonova.agent.metadata.limits import MetadataLimits

_END = re.compile(rb"\r?\n\r?\n")
_LENGTH = re.compile(rb"^content-length:[ \t]*(\d{1,9})[ \t]*\r?$", re.IGNORECASE | re.MULTILINE)
_EXPECTS = re.compile(rb"^expect:[ \t]*100-continue", re.IGNORECASE | re.MULTILINE)
_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
_PIECE = 1 << 16


class Stage(Enum):
    """What is waited for: the guest to ask, a worker to answer, the guest to take it, the guest to hang up."""

    ASKING = auto()
    ANSWERING = auto()
    TAKING = auto()
    LEAVING = auto()


class Exchange:
    """`server`: whom it counts for; `server_id`: who may be answered, None for a stranger; `until`: when it is cut."""

    def __init__(
        self, connection: socket.socket, server: str, server_id: str | None, now: float, limits: MetadataLimits
    ) -> None:
        connection.setblocking(False)
        self.connection, self.server, self.server_id = connection, server, server_id
        self.stage = Stage.ASKING
        self._limits, self._began = limits, now
        self.until = now + limits.seconds_to_ask
        self._asked = bytearray()
        self._whole: int | None = None  # bytes of the request, once its head is there
        self.is_too_long = False
        self._answer = memoryview(b"")

    @property
    def request(self) -> bytes:
        """What was asked, head and body."""
        return bytes(self._asked[: self._whole])

    def read(self) -> bool:
        """Take what is there. False when the guest hung up. Raises OSError."""
        try:
            piece = self.connection.recv(_PIECE)
        except BlockingIOError:
            return True
        if self.stage is Stage.ASKING:
            self._asked += piece
            self._look()
        return bool(piece)

    def answer(self, answer: bytes) -> None:
        """From now on it is written."""
        self.stage, self._answer = Stage.TAKING, memoryview(answer)
        self.until = self._began + self._limits.seconds_per_connection

    def write(self) -> bool:
        """Give what can be given now. Whether it was all: then the guest is to leave, or it might lose it. Raises OSError."""
        try:
            self._answer = self._answer[self.connection.send(self._answer) :]
        except BlockingIOError:
            return False
        if self._answer:
            return False
        self.stage = Stage.LEAVING
        self.connection.shutdown(socket.SHUT_WR)
        return True

    def _look(self) -> None:
        """Whether the request is whole: by its head, and where it has a body of a length that is taken, with that."""
        if self._whole is None:
            end = _END.search(self._asked)
            if end is None:
                if len(self._asked) > self._limits.head_bytes:
                    self.stage, self.is_too_long = Stage.ANSWERING, True
                return
            head = bytes(self._asked[: end.end()])
            length = _LENGTH.search(head)
            size = int(length[1]) if length and head.startswith(b"POST ") else 0
            self._whole = end.end() + (size if size <= self._limits.body_bytes else 0)
            if _EXPECTS.search(head):
                self.connection.send(_CONTINUE)
        if len(self._asked) >= self._whole:
            self.stage = Stage.ANSWERING
