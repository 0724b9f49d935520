"""
One connection, and the one thread that touches it.

AMQP connections are not for many threads, so each has its own, which sleeps until the socket has something to read, somebody woke
it, or its time is up. What is done with the connection is the handler's business (`Sender`, `Receiver`); that there is one is the
link's: it connects, says heartbeats, and when anything fails throws the connection away and makes a new one, after a pause that
doubles to a bound and is random in part. A connection is never repaired: the broker gives back what was not settled on it.

The thread ends with `stop` and for no other reason.

Over TLS two things differ. What has been decrypted and not yet read is in the library, where no selector sees it, so it is read
on to its end. And a socket that is closed says goodbye first and waits for the answer: one that failed is broken off instead.
"""

from __future__ import annotations

import itertools
import os
import random
import selectors
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from typing import Any, Protocol

import structlog
from kombu.connection import Connection
from kombu.exceptions import ChannelError, OperationalError

from kilonova.rpc.amqp.address import address
from kilonova.rpc.amqp.pace import Pace
from kilonova.watchdog import watchdog

_log = structlog.get_logger(__name__)
_EXPECTED = (OSError, OperationalError, ChannelError, *Connection("amqp://").connection_errors)


class LinkHandler(Protocol):
    """What a link does with its connection. All of it is called in the link's thread."""

    def opened(self, connection: Any) -> None:
        """A new connection is there."""

    def work(self) -> float | None:
        """Do what waits to be done; the seconds after which to be called again if nothing happens."""

    def failed(self, error: Exception) -> None:
        """The connection is gone, and this is why."""

    def blocked(self, is_blocked: bool) -> None:  # noqa: FBT001 - the broker's own yes or no
        """The broker asks for silence, or no more."""


class Link:
    """
    Made stopped. `url` may name several brokers of one cluster, parted by `;`: they are tried in turn.

    Raises Rejected for certificate files in it that cannot be used.
    """

    def __init__(self, name: str, url: str, handler: LinkHandler, pace: Pace) -> None:
        self._name, self._handler, self._pace = name, handler, pace
        self._addresses = itertools.cycle([address(one) for one in url.split(";")])
        self._rng = random.Random()  # noqa: S311 - spreads load, guards nothing
        self._wake = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._closing = threading.Lock()
        self._stopping = threading.Event()
        self.losses = 0  # of connections that were up
        self.is_up = threading.Event()
        self.is_down = threading.Event()  # the last attempt failed
        self._thread = threading.Thread(target=self._run, name=f"amqp-{name}", daemon=True)

    def start(self) -> None:
        """Connect, in the background, and stay connected."""
        self._thread.start()

    def wake(self) -> None:
        """There is something to do. From any thread."""
        with self._closing:
            if self._wake >= 0:
                os.eventfd_write(self._wake, 1)

    def stop(self) -> None:
        """Close the connection and end the thread."""
        self._stopping.set()
        self.wake()
        self._thread.join()
        self.is_up.clear()
        self.is_down.set()
        with self._closing:
            if self._wake >= 0:
                os.close(self._wake)
            self._wake = -1

    def is_here(self) -> bool:
        """Whether the caller is this link's own thread."""
        return threading.current_thread() is self._thread

    def _run(self) -> None:
        failures = 0
        while not self._stopping.is_set():
            began = time.monotonic()
            try:
                with self._connection() as connection:
                    self._handler.opened(connection)
                    self._up(connection)
                    self._serve(connection)
            except Exception as error:  # noqa: BLE001 - see the module's text: whatever it is, a new connection is the remedy
                # One that does not last is no success, or what always fails at once would be tried without a pause.
                if time.monotonic() - began > self._pace.reconnect_most_s:
                    failures = 0
                self._down(error, failures)
                self._stopping.wait(self._pace.reconnect_after(failures, self._rng))
                failures += 1

    @contextmanager
    def _connection(self) -> Iterator[Any]:
        """A connection; closed in good order when all went well, and dropped when not."""
        pace = self._pace
        options = {
            "read_timeout": pace.answer_s,
            "write_timeout": pace.answer_s,
            "socket_settings": {socket.TCP_USER_TIMEOUT: int(pace.answer_s * 1000)},
            "on_blocked": lambda _: self._handler.blocked(True),
            "on_unblocked": lambda: self._handler.blocked(False),
            "client_properties": {"connection_name": f"kilonova {self._name} {socket.gethostname()} {os.getpid()}"},
        }
        to = next(self._addresses)
        kombu = Connection(**to, heartbeat=pace.heartbeat_s, connect_timeout=pace.answer_s, transport_options=options)
        # Not kombu's own `connect`, which sleeps and tries again: when to try is the loop's matter.
        connection: Any = kombu.transport.establish_connection()
        sock = connection.sock
        try:
            # The library would look for `blocked` before every message sent: here the loop does, when there is something to read.
            connection.client_properties.get("capabilities", {}).pop("connection.blocked", None)
            yield connection
            # A broker short of memory does not read, and so never answers to a goodbye.
            with watchdog(pace.answer_s, partial(_break_off, sock)):
                connection.close()
        except BaseException:
            _break_off(sock)
            raise
        finally:
            with suppress(Exception):
                connection.collect()

    def _up(self, connection: Any) -> None:
        self.is_down.clear()
        self.is_up.set()
        _log.info("connected to the broker", link=self._name, broker=connection.host)

    def _down(self, error: Exception, failures: int) -> None:
        was_up = self.is_up.is_set()
        self.is_up.clear()
        self.losses += was_up
        self._handler.failed(error)
        self.is_down.set()
        if not isinstance(error, _EXPECTED):
            _log.exception("the broker's connection failed in a way it should not", link=self._name)
        elif was_up or failures == 0 or failures % 10 == 0:
            _log.warning("the broker is away; connecting again", link=self._name, failures=failures, why=str(error))

    def _serve(self, connection: Any) -> None:
        beat_s = self._pace.heartbeat_s / 4
        next_beat = time.monotonic() + beat_s
        with selectors.DefaultSelector() as selector:
            selector.register(connection.sock, selectors.EVENT_READ, connection)
            selector.register(self._wake, selectors.EVENT_READ)
            while not self._stopping.is_set():
                again_s = self._handler.work()
                pause_s = max(0.0, next_beat - time.monotonic())
                for key, _ in selector.select(pause_s if again_s is None else min(pause_s, max(0.0, again_s))):
                    self._ready(key)
                if time.monotonic() >= next_beat:
                    connection.heartbeat_tick()
                    next_beat = time.monotonic() + beat_s
            self._handler.work()

    def _ready(self, key: selectors.SelectorKey) -> None:
        if key.data is None:
            os.eventfd_read(self._wake)
            return
        sock = key.fileobj
        with suppress(TimeoutError):  # half a frame: the rest is on its way
            key.data.blocking_read(1.0)
            while isinstance(sock, ssl.SSLSocket) and sock.pending():
                key.data.blocking_read(1.0)


def _break_off(sock: socket.socket) -> None:
    """Whoever reads or writes is told that there is nobody any more. Not by TLS's own way, which another thread must not take."""
    with suppress(OSError):
        socket.socket.shutdown(sock, socket.SHUT_RDWR)
