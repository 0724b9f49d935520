"""A network that a test can cut: a TCP proxy on 127.0.0.1 between a client and a server."""

from __future__ import annotations

import socket
import threading
from contextlib import suppress


class TcpProxy:
    """
    Carries bytes to `port`. `cut` breaks what is connected and refuses what comes, `freeze` swallows all that is sent, goodbyes
    too, and says nothing; both until `mend`. `lose` breaks what is connected and does not tell the server.
    """

    def __init__(self, port: int) -> None:
        self._target = ("127.0.0.1", port)
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listening.getsockname()[1]
        self._lock = threading.Lock()
        self._pairs: list[tuple[socket.socket, socket.socket]] = []
        self._threads: list[threading.Thread] = []
        self._lost: set[socket.socket] = set()
        self._is_cut = self._is_closed = False
        self._carries = threading.Event()
        self._carries.set()
        self._accepting = threading.Thread(target=self._accept, daemon=True)
        self._accepting.start()

    def cut(self) -> None:
        """Break every connection, and let none through."""
        with self._lock:
            self._is_cut = True
            pairs, self._pairs = self._pairs, []
        for pair in pairs:
            _break(*pair)

    def freeze(self) -> None:
        """Carry nothing any more, and tell nobody."""
        self._carries.clear()

    def lose(self) -> None:
        """Break every connection at the client's end alone: the server goes on believing in it until `forget`."""
        with self._lock:
            pairs, self._pairs = self._pairs, []
            self._lost |= {server for _, server in pairs}
        for client, _ in pairs:
            _break(client)

    def forget(self) -> None:
        """Tell the server of those that were lost."""
        with self._lock:
            lost, self._lost = self._lost, set()
        _break(*lost)

    def mend(self) -> None:
        """Let connections through again; those that were frozen are broken."""
        if not self._carries.is_set():
            self.cut()
        self._is_cut = False
        self._carries.set()

    def close(self) -> None:
        """End it."""
        self._is_closed = True
        with suppress(OSError):
            self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        self._accepting.join()
        self.cut()
        self.forget()
        self._carries.set()
        for thread in self._threads:
            thread.join()

    def _accept(self) -> None:
        while not self._is_closed:
            try:
                client, _ = self._listening.accept()
            except OSError:
                return
            try:
                server = socket.create_connection(self._target)
            except OSError:
                client.close()
                continue
            with self._lock:
                if self._is_cut:
                    _break(client, server)
                    continue
                self._pairs.append((client, server))
            for ends in ((client, server), (server, client)):
                thread = threading.Thread(target=self._carry, args=ends, daemon=True)
                self._threads.append(thread)
                thread.start()

    def _carry(self, source: socket.socket, sink: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(65536):
                if self._carries.is_set():
                    sink.sendall(data)
        self._carries.wait()
        _break(*{source, sink} - self._lost)


def _break(*ends: socket.socket) -> None:
    for end in ends:
        with suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)
        end.close()
