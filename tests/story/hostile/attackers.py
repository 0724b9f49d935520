"""A real listener for hostile stories, and clients that speak to its socket as no library would."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

from kilonova.api.framework import Limits, Rim
from kilonova.api.framework.connections import ConnectionLimits, Connections
from kilonova.bootstrap.cloud import Cloud
from kilonova.daemon.listener import Listener
from tests.brokers import free_ports

PATIENCE_S = 60.0


class Attacked:
    """A listener's port; the sockets that are opened here are closed in the end."""

    def __init__(self, port: int, connections: Connections, listener: Listener, stack: ExitStack) -> None:
        self.port, self.connections, self.listener, self._stack = port, connections, listener, stack

    def connect(self, said: bytes = b"", address: str = "127.0.0.1") -> socket.socket:
        """A connection from one of the machine's own addresses, with this said on it."""
        made = socket.create_connection(("127.0.0.1", self.port), PATIENCE_S, (address, 0))
        self._stack.enter_context(made)
        made.sendall(said)
        return made

    def ask(self, said: bytes, address: str = "127.0.0.1") -> bytes:
        """All that is answered on a connection of its own."""
        return rest(self.connect(said, address))


@contextmanager
def attacked(app: Any, **limits: Any) -> Iterator[Attacked]:
    """`app` behind a listener with these limits of connections."""
    [port] = free_ports(1)
    connections = Connections(ConnectionLimits(**limits))
    on_leave = getattr(app, "leave", lambda: None)
    listener = Listener(app, "127.0.0.1", port, drain_s=5, connections=connections, on_leave=on_leave)
    listener.start()
    try:
        with ExitStack() as stack:
            yield Attacked(port, connections, listener, stack)
    finally:
        listener.stop()


def get(path: str, **headers: str) -> bytes:
    """A whole GET that ends its connection."""
    return head("GET", path, Connection="close", **headers)


def head(method: str, path: str, **headers: str) -> bytes:
    """A request's head."""
    lines = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in headers.items())
    return f"{method} {path} HTTP/1.1\r\nHost: here\r\n{lines}\r\n".encode()


def rest(client: socket.socket) -> bytes:
    """What is said, to the end of the connection. Raises ConnectionResetError where it is broken off instead."""
    return b"".join(iter(lambda: client.recv(65536), b""))


def one(client: socket.socket, until: bytes = b"\r\n\r\n") -> bytes:
    """What is said up to these bytes."""
    found = b""
    while until not in found:
        more = client.recv(65536)
        assert more, f"it ended after {found!r}"
        found += more
    return found


def rim_of(cloud: Cloud, **limits: Any) -> Rim:
    """A rim of the cloud's own services for a listener: the one that the cloud has belongs to another loop."""
    policies = cloud.api.rim._policy
    return Rim(cloud.services, authenticator=cloud.identity.authenticator, policy=policies, limits=Limits(**limits))


def status(answer: bytes) -> int:
    """Of an answer."""
    return int(answer[9:12])
