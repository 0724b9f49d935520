"""
The sockets and threads of the metadata service.

One thread has all sockets of all networks and waits for none: it accepts, reads requests and writes answers as they come and go,
one request a connection. Only a request that is whole is given to a worker, which does nothing but make its answer. So a guest
that asks or listens slowly costs the others nothing but a place in a table, and there connections are counted by server: with the
table full, whoever has most gives one up to whoever has fewer. Workers answer the servers in turn.

`serve` and `forget` may be called from any thread; the loop's thread alone touches the selector and connections, and a byte in a
socket pair makes it look.
"""

from __future__ import annotations

import selectors
import socket
import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import structlog

from kilonova.agent.metadata.answers import Answer, Passwords
from kilonova.agent.metadata.exchange import Exchange, Stage
from kilonova.agent.metadata.http import Request, answer_guest, respond
from kilonova.agent.metadata.limits import Buckets, MetadataLimits, Turns
from kilonova.agent.metadata.listener import Listener
from kilonova.domain.machine import GuestData

Whose = Callable[[str, str], str | None]  # network id, source address -> server id
GuestOf = Callable[[str], GuestData | None]  # by server id

_log: structlog.stdlib.BoundLogger = structlog.get_logger()
_WORKERS = 4
_LOOK_S = 1.0
_NOT_FOUND = Answer(404, b"Not found\n")
_TOO_LONG = Answer(431, b"Too long\n")
_TOO_MANY = Answer(429, b"Too many requests\n")
_BROKEN = Answer(500, b"This host could not answer\n")


class MetadataServer:
    """Serves every network that it is told of. `close` ends it for good."""

    def __init__(
        self, whose: Whose, guest_of: GuestOf, passwords: Passwords, limits: MetadataLimits | None = None
    ) -> None:
        self._whose, self._guest_of, self._passwords = whose, guest_of, passwords
        self._limits = limits or MetadataLimits()
        self._lock = threading.Lock()
        self._listeners: dict[str, Listener] = {}
        self._turns: Turns[Exchange] = Turns()  # guarded by the lock
        self._answered: deque[tuple[Exchange, bytes]] = deque()
        self._pool = ThreadPoolExecutor(_WORKERS, thread_name_prefix="metadata")
        self._doorbell, self._wake = socket.socketpair()
        self._doorbell.setblocking(False)
        self._wake.setblocking(False)
        self._closing = False
        # Of the loop's thread alone:
        self._selector = selectors.DefaultSelector()
        self._buckets = Buckets(self._limits)
        self._open: dict[str, list[Exchange]] = {}  # by whom they count for, the oldest first
        self._thread = threading.Thread(target=self._loop, name="metadata", daemon=True)
        self._thread.start()

    def serve(self, network_id: str, bridge: str) -> int:
        """Serve the guests of `network_id` on its bridge; the port that is listened on. Raises OSError."""
        with self._lock:
            listener = self._listeners.get(bridge)
            if listener is not None and listener.is_current():
                return listener.port
            fresh = Listener(network_id, bridge)
            self._listeners[bridge] = fresh
        if listener is not None:
            listener.close()
        self._ring()
        return fresh.port

    def forget(self, bridge: str) -> None:
        """Serve the network of this bridge no longer."""
        with self._lock:
            listener = self._listeners.pop(bridge, None)
        if listener is not None:
            listener.close()
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
        self._pool.shutdown()
        self._doorbell.close()
        self._wake.close()

    # --- the loop ---

    def _loop(self) -> None:
        self._selector.register(self._doorbell, selectors.EVENT_READ)
        watched: dict[int, Listener] = {}
        while not self._closing:
            self._watch(watched)
            for key, _ in self._selector.select(_LOOK_S if self._open else None):
                if key.fileobj is self._doorbell:
                    self._doorbell.recv(4096)
                elif isinstance(key.data, Listener):
                    self._accept(key.data)
                else:
                    self._go_on(key.data)
            while self._answered:
                self._give(*self._answered.popleft())
            now = time.monotonic()
            for exchange in [one for those in self._open.values() for one in those if one.until < now]:
                self._drop(exchange)
        for exchange in [one for those in self._open.values() for one in those]:
            self._drop(exchange)
        self._selector.close()

    def _watch(self, watched: dict[int, Listener]) -> None:
        """Look at exactly the listeners there are now. A closed one's descriptor may be another's by now, so go by object."""
        with self._lock:
            wanted = {listener.descriptor: listener for listener in self._listeners.values()}
        for descriptor, listener in list(watched.items()):
            if wanted.get(descriptor) is not listener:
                with suppress(KeyError, OSError, ValueError):
                    self._selector.unregister(descriptor)
                del watched[descriptor]
        for descriptor, listener in wanted.items():
            if descriptor not in watched:
                with suppress(OSError, ValueError):  # closed since it was looked at
                    self._selector.register(descriptor, selectors.EVENT_READ, listener)
                    watched[descriptor] = listener

    def _accept(self, listener: Listener) -> None:
        """One connection: the next has its turn after those that are there."""
        try:
            connection, (address, *_) = listener.socket.accept()
        except OSError:  # gone again, or the listener closed
            return
        server_id = self._whose(listener.network_id, address)
        # All strangers of a network are one: they have as many addresses as they like.
        server = server_id or f"strangers on {listener.network_id}"
        if not self._has_room(server):
            connection.close()
            return
        exchange = Exchange(connection, server, server_id, time.monotonic(), self._limits)
        self._open.setdefault(server, []).append(exchange)
        self._selector.register(connection, selectors.EVENT_READ, exchange)

    def _has_room(self, server: str) -> bool:
        """Whether one more may be there for this server; somebody else's may have to go for it."""
        mine = len(self._open.get(server, ()))
        if mine >= self._limits.connections_per_server:
            return False
        if sum(map(len, self._open.values())) < self._limits.connections:
            return True
        most = max(self._open.values(), key=len)
        idle = next((one for one in most if one.stage is not Stage.ANSWERING), None)
        if len(most) <= mine + 1 or idle is None:
            return False
        self._drop(idle)
        return True

    def _go_on(self, exchange: Exchange) -> None:
        """The guest sent something, or took something."""
        try:
            if exchange.stage is Stage.TAKING:
                if exchange.write():
                    self._selector.modify(exchange.connection, selectors.EVENT_READ, exchange)
            elif not exchange.read():
                self._drop(exchange)
            elif exchange.stage is Stage.ANSWERING:
                self._selector.unregister(exchange.connection)
                self._ask(exchange)
        except OSError:  # it hung up
            self._drop(exchange)

    def _ask(self, exchange: Exchange) -> None:
        """Have a whole request answered, in its server's turn."""
        refusal = self._refusal(exchange)
        if refusal is not None:
            self._give(exchange, respond(exchange.request, lambda _: refusal))
            return
        with self._lock:
            self._turns.add(exchange.server, exchange)
        self._pool.submit(self._work)

    def _refusal(self, exchange: Exchange) -> Answer | None:
        if exchange.is_too_long:
            return _TOO_LONG
        if exchange.server_id is None:
            return _NOT_FOUND
        return None if self._buckets.spend(exchange.server, time.monotonic()) else _TOO_MANY

    def _give(self, exchange: Exchange, answer: bytes) -> None:
        if self._is_open(exchange):  # else it was cut meanwhile
            exchange.answer(answer)
            self._selector.register(exchange.connection, selectors.EVENT_WRITE, exchange)

    def _drop(self, exchange: Exchange) -> None:
        if not self._is_open(exchange):  # since it was looked at
            return
        with suppress(KeyError, ValueError):  # while it is answered it is not looked at
            self._selector.unregister(exchange.connection)
        exchange.connection.close()
        mine = self._open[exchange.server]
        mine.remove(exchange)
        if not mine:
            del self._open[exchange.server]

    def _is_open(self, exchange: Exchange) -> bool:
        return exchange in self._open.get(exchange.server, ())

    def _ring(self) -> None:
        with suppress(OSError):
            self._wake.send(b"!")

    # --- the workers ---

    def _work(self) -> None:
        with self._lock:
            exchange = self._turns.take()
        if exchange is None:
            return
        try:
            answer = respond(exchange.request, lambda request: self._answer(request, exchange.server_id or ""))
        except Exception:  # noqa: BLE001 - one guest's request must not cost the others their worker
            _log.exception("a metadata request could not be answered", server=exchange.server)
            answer = respond(exchange.request, lambda _: _BROKEN)
        self._answered.append((exchange, answer))
        self._ring()

    def _answer(self, request: Request, server_id: str) -> Answer:
        guest = self._guest_of(server_id)
        return _NOT_FOUND if guest is None else answer_guest(request, guest, self._passwords, self._limits.body_bytes)
