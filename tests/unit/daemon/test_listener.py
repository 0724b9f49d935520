"""How a listener leaves its port, seen from the other end of real connections."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import httpx2
import pytest

from kilonova.api.framework import COMPUTE, Policy, Rim, Route, Service
from kilonova.daemon import listener
from kilonova.daemon.listener import Listener
from kilonova.domain.errors import Conflict
from tests.apiclient import FakeAuthenticator
from tests.brokers import free_ports
from tests.waiting import wait_until, within

ASKED = b"GET /compute/v2.1/%s HTTP/1.1\r\nhost: here\r\n\r\n"


class Desk:
    """A service of two routes: `quick` counts, `slow` waits until it is let go."""

    def __init__(self) -> None:
        self.counted = 0
        self._lock = threading.Lock()
        self.waits, self.goes = threading.Event(), threading.Event()

    def quick(self, _request: object) -> None:
        with self._lock:
            self.counted += 1

    def slow(self, _request: object) -> None:
        self.waits.set()
        assert self.goes.wait(60)

    def rim(self) -> Rim:
        routes = [Route("GET", "/quick", self.quick, auth=False), Route("GET", "/slow", self.slow, auth=False)]
        service = Service("compute", mount="/compute", prefix="/v2.1", style=COMPUTE, routes=routes)
        return Rim([service], authenticator=FakeAuthenticator({}), policy=Policy([]))


@pytest.fixture
def desk() -> Iterator[Desk]:
    made = Desk()
    yield made
    made.goes.set()


@contextmanager
def served(desk: Desk, drain_s: int = 30) -> Iterator[tuple[Listener, int]]:
    [port] = free_ports(1)
    made = Listener(desk.rim(), "127.0.0.1", port, drain_s=drain_s)
    made.start()
    try:
        yield made, port
    finally:
        desk.goes.set()
        made.stop()


def is_closed(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=5).close()
    except ConnectionRefusedError:
        return True
    return False


GONE_S = 30.0  # what is under way takes less than a second each; the machine may be busy


def all_of(connection: socket.socket) -> bytes:
    """What comes until the other end closes."""
    connection.settimeout(30)
    return b"".join(iter(lambda: connection.recv(65536), b""))


def test_connections_that_are_quiet_or_say_half_a_thing_are_let_go(desk: Desk) -> None:
    with served(desk, drain_s=60) as (made, port):
        quiet, half, kept = (socket.create_connection(("127.0.0.1", port)) for _ in range(3))
        with quiet, half, kept:
            half.sendall(ASKED[:30])
            kept.sendall(ASKED % b"quick")
            assert kept.recv(12) == b"HTTP/1.1 200"
            within(GONE_S, made.stop)
            assert all_of(quiet) == all_of(half) == b""


def test_a_request_under_way_is_answered_and_its_connection_is_over(desk: Desk) -> None:
    with served(desk) as (made, port), socket.create_connection(("127.0.0.1", port)) as asking:
        asking.sendall(ASKED % b"slow")
        assert desk.waits.wait(30)
        with ThreadPoolExecutor(1) as pool:
            stopped = pool.submit(made.stop)
            wait_until(lambda: is_closed(port), "the port is closed")
            assert not stopped.done()
            desk.goes.set()
            answer = all_of(asking)
            stopped.result(30)
    assert answer.startswith(b"HTTP/1.1 200")
    assert b"connection: close" in answer.lower()


def test_while_it_leaves_it_answers_and_lets_each_connection_go(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listener, "LEAVE_S", 60.0)
    with (
        served(desk) as (made, port),
        ThreadPoolExecutor(1) as pool,
        socket.create_connection(("127.0.0.1", port)) as quiet,
        socket.create_connection(("127.0.0.1", port)) as asking,
    ):
        stopped = pool.submit(made.stop)
        wait_until(lambda: b"connection: close" in asked_once(port), "it leaves")
        asking.sendall(ASKED % b"quick")
        assert all_of(asking).startswith(b"HTTP/1.1 200")
        assert not stopped.done()
        quiet.close()
        stopped.result(30)  # nobody is left to be waited for
    assert is_closed(port)


def asked_once(port: int) -> bytes:
    with httpx2.Client(base_url=f"http://127.0.0.1:{port}", trust_env=False) as http:
        answer = http.get("/compute/v2.1/quick")
        return b"connection: " + answer.headers.get("connection", "").encode()


def test_under_load_whatever_was_carried_out_was_answered(desk: Desk) -> None:
    heard: list[int] = []

    def hammer() -> None:
        with httpx2.Client(base_url=f"http://127.0.0.1:{port}", trust_env=False, timeout=30) as http:
            while True:
                try:
                    heard.append(http.get("/compute/v2.1/quick").status_code)
                except httpx2.ConnectError:
                    return
                except httpx2.TransportError:
                    continue  # its connection was closed before it was read

    with served(desk) as (made, port), ThreadPoolExecutor(8) as pool:
        clients = [pool.submit(hammer) for _ in range(8)]
        wait_until(lambda: len(heard) > 50, "there is load")
        within(GONE_S, made.stop)
        for one in clients:
            one.result(30)
    assert set(heard) == {200}
    assert len(heard) == desk.counted


def test_one_that_does_not_end_is_told_so_and_not_waited_for(desk: Desk) -> None:
    with served(desk, drain_s=1) as (made, port), socket.create_connection(("127.0.0.1", port)) as asking:
        asking.sendall(ASKED % b"slow")
        assert desk.waits.wait(30)
        within(GONE_S, made.stop)
        answer = all_of(asking)
    assert answer.startswith(b"HTTP/1.1 503")
    assert b"look, before you ask again" in answer


def test_a_port_that_is_taken_is_said_to_be(desk: Desk) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        made = Listener(desk.rim(), "127.0.0.1", taken.getsockname()[1], drain_s=1)
        with pytest.raises(Conflict, match="cannot listen"):
            made.start()
        made.stop()
