"""
The sockets and threads of the metadata service.

One thread accepts for all networks and a bounded pool answers, one request a connection: a guest that keeps many open,
or sends a byte a second, is cut off by its own count and by the clock, and costs the others nothing. `serve` and `forget` may be
called from any thread; the accepting thread alone touches the selector, and a byte in a socket pair makes it look.
"""

from __future__ import annotations

import selectors
import socket
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from http.server import BaseHTTPRequestHandler
from socketserver import TCPServer
from typing import Any

import structlog

from kilonova.agent.metadata.answers import Answer, Passwords, read_answer, write_answer
from kilonova.agent.metadata.limits import Admission, Limits
from kilonova.domain.machine import GuestData

Lookup = Callable[[str, str], GuestData | None]  # network id, source address

PREFERRED_PORT = 18775
_log: structlog.stdlib.BoundLogger = structlog.get_logger()
_WORKERS = 16
_READ_LIMIT_S = 5.0
_LOOK_S = 1.0


class MetadataServer:
    """Serves every network that it is told of. `close` ends it for good."""

    def __init__(self, lookup: Lookup, passwords: Passwords, limits: Limits | None = None) -> None:
        self._lookup = lookup
        self._passwords = passwords
        self._limits = limits or Limits()
        self._admission = Admission(self._limits)
        self._lock = threading.Lock()
        self._listeners: dict[str, _Listener] = {}
        self._connections: dict[socket.socket, float] = {}
        self._pool = ThreadPoolExecutor(_WORKERS, thread_name_prefix="metadata")
        self._doorbell, self._wake = socket.socketpair()
        self._closing = False
        self._thread = threading.Thread(target=self._accept, name="metadata", daemon=True)
        self._thread.start()

    def serve(self, network_id: str, bridge: str) -> int:
        """Serve the guests of `network_id` on its bridge; the port that is listened on. Raises OSError."""
        with self._lock:
            listener = self._listeners.get(bridge)
            if listener is not None and listener.is_current():
                return listener.port
            fresh = _Listener(self, network_id, bridge)
            self._listeners[bridge] = fresh
        if listener is not None:
            listener.server_close()
        self._ring()
        return fresh.port

    def forget(self, bridge: str) -> None:
        """Serve the network of this bridge no longer."""
        with self._lock:
            listener = self._listeners.pop(bridge, None)
        if listener is not None:
            listener.server_close()
            self._admission.forget(listener.network_id)
            self._ring()

    def close(self) -> None:
        """Serve nobody, and return when nothing of this runs."""
        if self._closing:
            return
        for bridge in list(self._listeners):
            self.forget(bridge)
        self._closing = True
        self._ring()
        self._thread.join()
        self._cut(overdue_at=None)
        self._pool.shutdown()
        self._doorbell.close()
        self._wake.close()

    def answer(self, network_id: str, request: _Request) -> Answer:
        """The answer to a request that came in on a network."""
        guest = (network_id, request.client_address[0])
        known = self._lookup(*guest)
        if known is None:
            return Answer(404, b"Not found\n")
        if not self._admission.spend(guest, time.monotonic()):
            return Answer(429, b"Too many requests\n")
        if request.command != "POST":
            return read_answer(known, request.path, self._passwords)
        size = request.headers.get("Content-Length", "")
        if not size.isdigit():
            return Answer(411, b"A length is required\n")
        if int(size) > self._limits.request_bytes:
            return Answer(413, b"Too large\n")
        return write_answer(known, request.path, request.rfile.read(int(size)), self._passwords)

    def take(self, listener: _Listener, connection: socket.socket, address: Any) -> None:
        """Have a worker answer an accepted connection, if the guest may have one more."""
        guest = (listener.network_id, str(address[0]))
        if not self._admission.enter(guest):
            connection.close()
            return
        with self._lock:
            self._connections[connection] = time.monotonic() + self._limits.seconds_per_connection
        self._pool.submit(self._work, listener, connection, address)

    def _work(self, listener: _Listener, connection: socket.socket, address: Any) -> None:
        try:
            _Request(connection, address, listener)
        except OSError:
            _log.debug("a guest hung up", network=listener.network_id)
        except Exception:  # noqa: BLE001 - one guest's request must not cost the others their worker
            _log.exception("a metadata request could not be answered", network=listener.network_id)
        finally:
            with self._lock:
                self._connections.pop(connection)
            connection.close()
            self._admission.leave((listener.network_id, str(address[0])))

    def _accept(self) -> None:
        with selectors.DefaultSelector() as selector:
            selector.register(self._doorbell, selectors.EVENT_READ)
            watched: dict[int, _Listener] = {}
            while not self._closing:
                self._watch(selector, watched)
                for key, _ in selector.select(_LOOK_S if self._connections else None):
                    if key.fileobj is self._doorbell:
                        self._doorbell.recv(4096)
                    else:
                        with suppress(OSError, ValueError):  # closed since it was looked at
                            key.data.handle_request()
                self._cut(overdue_at=time.monotonic())

    def _watch(self, selector: selectors.BaseSelector, watched: dict[int, _Listener]) -> None:
        """Look at exactly the listeners there are now. A closed one's descriptor may be another's by now, so go by object."""
        with self._lock:
            wanted = {listener.descriptor: listener for listener in self._listeners.values()}
        for descriptor, listener in list(watched.items()):
            if wanted.get(descriptor) is not listener:
                with suppress(KeyError, OSError, ValueError):
                    selector.unregister(descriptor)
                del watched[descriptor]
        for descriptor, listener in wanted.items():
            if descriptor not in watched:
                selector.register(descriptor, selectors.EVENT_READ, listener)
                watched[descriptor] = listener

    def _cut(self, overdue_at: float | None) -> None:
        """End the connections that have had their time; all of them when there is no time."""
        with self._lock:
            for connection, until in self._connections.items():
                if overdue_at is None or until < overdue_at:
                    with suppress(OSError):
                        connection.shutdown(socket.SHUT_RDWR)

    def _ring(self) -> None:
        with suppress(OSError):
            self._wake.send(b"!")


class _Listener(TCPServer):
    """The listening socket of a network: bound to its bridge, so that nothing arrives from elsewhere."""

    allow_reuse_address = True
    request_queue_size = 64
    timeout = 0

    def __init__(self, owner: MetadataServer, network_id: str, bridge: str) -> None:
        self._owner = owner
        self.network_id = network_id
        self._bridge = (bridge, socket.if_nametoindex(bridge))
        super().__init__(("0.0.0.0", PREFERRED_PORT), _Request)  # noqa: S104 - of one device only, see server_bind
        self.descriptor = self.fileno()
        self.port: int = self.socket.getsockname()[1]

    def is_current(self) -> bool:
        """Whether the bridge is still the device that this listens on, not a new one of its name."""
        with suppress(OSError):
            return self._bridge[1] == socket.if_nametoindex(self._bridge[0])
        return False

    def server_bind(self) -> None:
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, self._bridge[0].encode())
        try:
            super().server_bind()
        except OSError:
            # Somebody listens there on every device. The firewall redirects to whatever port it is.
            self.server_address = ("0.0.0.0", 0)  # noqa: S104
            super().server_bind()

    def process_request(self, request: Any, client_address: Any) -> None:
        self._owner.take(self, request, client_address)

    def reply_to(self, request: _Request) -> Answer:
        """What the owner says to a request that came in here."""
        return self._owner.answer(self.network_id, request)


class _Request(BaseHTTPRequestHandler):
    """One request, one answer, and the connection ends: a worker belongs to nobody for longer."""

    protocol_version = "HTTP/1.1"
    timeout = _READ_LIMIT_S
    server: _Listener

    def do_GET(self) -> None:
        self.close_connection = True
        answer = self.server.reply_to(self)
        self.send_response(answer.status)
        self.send_header("Content-Type", answer.content_type)
        self.send_header("Content-Length", str(len(answer.body)))
        self.send_header("Connection", "close")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(answer.body)

    do_HEAD = do_POST = do_GET  # noqa: N815

    def version_string(self) -> str:
        return "Kilonova"

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        _log.debug("metadata", request=format % args)
