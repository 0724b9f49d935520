"""Heads that do not end, on a real socket."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from typing import Any

import pytest
import uvicorn

from kilonova.api.framework.heads import HEAD_BYTES, BoundedHeads
from tests.waiting import wait_until


class Hasty(BoundedHeads):
    head_s = 0.5


async def hello(scope: Any, receive: Any, send: Any) -> None:
    size = 0
    while (message := await receive())["type"] == "http.request":
        size += len(message["body"])
        if not message["more_body"]:
            break
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"7")]})
    await send({"type": "http.response.body", "body": b"%07d" % size})


@pytest.fixture
def port() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        config = uvicorn.Config(hello, http=Hasty, lifespan="off", log_config=None, timeout_keep_alive=30)
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        wait_until(lambda: server.started, "it listens")
        yield listener.getsockname()[1]
        server.should_exit = True
        thread.join()


@pytest.fixture
def client(port: int) -> Iterator[socket.socket]:
    with socket.create_connection(("127.0.0.1", port), timeout=10) as client:
        yield client


def answer(client: socket.socket, until: bytes = b"") -> bytes:
    """What is said, to the end of the connection or to these last bytes."""
    found = b""
    while (more := client.recv(4096)) and not (until and (found + more).endswith(until)):
        found += more
    return found + more


def test_a_head_without_end_is_refused(client: socket.socket) -> None:
    begin = b"GET / HTTP/1.1\r\nHost: x\r\nX-More: "
    client.sendall(begin + b"a" * (HEAD_BYTES + 1 - len(begin)))
    assert answer(client).startswith(b"HTTP/1.1 431 ")


@pytest.mark.parametrize("said", [b"", b"GET / HT", b"GET / HTTP/1.1\r\nHost: x\r\nX-Slow: "])
def test_who_does_not_finish_the_head_is_sent_away(client: socket.socket, said: bytes) -> None:
    client.sendall(said)
    assert answer(client).startswith(b"HTTP/1.1 408 ")


def test_the_second_request_of_a_connection_is_held_to_it_too(client: socket.socket) -> None:
    client.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    assert answer(client, b"0000000").startswith(b"HTTP/1.1 200 ")
    client.sendall(b"GET / HTTP/1.1\r\n")
    assert answer(client).startswith(b"HTTP/1.1 408 ")


def test_a_body_may_be_longer_and_slower_than_a_head(client: socket.socket) -> None:
    size = 300_000
    client.sendall(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % size)
    client.sendall(b"a" * (size - 1))
    threading.Event().wait(Hasty.head_s * 1.5)
    client.sendall(b"a")
    assert answer(client, b"0300000").startswith(b"HTTP/1.1 200 ")
