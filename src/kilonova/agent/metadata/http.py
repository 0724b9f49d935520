"""A request of HTTP/1.1 from its bytes, and a response as bytes. Pure."""

from __future__ import annotations

from collections.abc import Callable
from http.server import BaseHTTPRequestHandler
from io import BytesIO
from typing import Any

import structlog

from kilonova.agent.metadata.answers import Answer, Passwords, read_answer, write_answer
from kilonova.domain.machine import GuestData

METHODS = ("GET", "HEAD", "POST")
_log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)


def respond(request: bytes, answer: Callable[[Request], Answer]) -> bytes:
    """The response to a request, and the connection is to end with it."""
    return Request(request, answer).response


def answer_guest(request: Request, guest: GuestData, passwords: Passwords, body_bytes: int) -> Answer:
    """What a guest is answered."""
    if request.command not in METHODS:
        return Answer(405, b"Only GET, HEAD and POST are known here\n")
    if request.command != "POST":
        return read_answer(guest, request.path, passwords)
    size = request.headers.get("Content-Length", "")
    if not (size.isascii() and size.isdigit()):
        return Answer(411, b"A length is required\n")
    if int(size) > body_bytes:
        return Answer(413, b"Too large\n")
    return write_answer(guest, request.path, request.rfile.read(int(size)), passwords)


class Request(BaseHTTPRequestHandler):
    """The standard library's parser over bytes that are all there: it neither reads from a socket nor waits."""

    protocol_version = default_request_version = "HTTP/1.1"

    def __init__(self, request: bytes, answer: Callable[[Request], Answer]) -> None:
        self.rfile, self._written = BytesIO(request), BytesIO()
        self.wfile = self._written
        self.client_address = ("", 0)
        self.close_connection = True
        self.raw_requestline = self.rfile.readline(1 << 16)
        if self.parse_request():
            self._write(answer(self))
        elif not self._written.getvalue():
            self.send_error(400)

    @property
    def response(self) -> bytes:
        """What is to be sent."""
        return self._written.getvalue()

    def handle_expect_100(self) -> bool:
        """It was said already, when the head had come."""
        return True

    def version_string(self) -> str:
        """Names no versions."""
        return "Kilonova"

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """For who looks closely."""
        _log.debug("metadata", request=format % args)

    def _write(self, answer: Answer) -> None:
        self.send_response(answer.status)
        self.send_header("Content-Type", answer.content_type)
        self.send_header("Content-Length", str(len(answer.body)))
        if answer.status == 405:
            self.send_header("Allow", ", ".join(METHODS))
        self.send_header("Connection", "close")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(answer.body)
