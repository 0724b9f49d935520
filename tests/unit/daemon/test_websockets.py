"""Websockets on real sockets: in the table of connections, under its bounds, and closed cleanly when the listener leaves."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import pytest
from starlette.websockets import WebSocket, WebSocketDisconnect
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect

from kilonova.api.framework import Limits, Policy, Rim
from kilonova.api.framework.door import FrontDoor
from kilonova.api.framework.mounts import Mount
from tests.apiclient import FakeAuthenticator, caller
from tests.story.hostile.attackers import Attacked, attacked, get, head
from tests.waiting import wait_until

MIB = 1 << 20
UPGRADE = head(
    "GET",
    "/echo",
    Upgrade="websocket",
    Connection="Upgrade",
    Sec_WebSocket_Key="dGhlIHNhbXBsZSBub25jZQ==",
    Sec_WebSocket_Version="13",
)


class Parrot:
    """Answers what it is told; `flood` sends more than sockets hold. `codes`: how its websockets ended."""

    def __init__(self) -> None:
        self.codes: list[int] = []
        self.goes = threading.Event()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        websocket = WebSocket(scope, receive, send)
        await websocket.accept()
        try:
            while True:
                text = await websocket.receive_text()
                for _ in range(64 if text == "flood" else 1):
                    await websocket.send_text("a" * MIB if text == "flood" else text)
        except WebSocketDisconnect as end:
            self.codes.append(end.code)


@pytest.fixture
def parrot() -> Parrot:
    return Parrot()


@pytest.fixture
def port(parrot: Parrot) -> Iterator[Attacked]:
    rim = Rim([], authenticator=FakeAuthenticator({"t": caller()}), policy=Policy([]), limits=Limits())
    door = FrontDoor(rim, [Mount("/echo", "websocket", parrot, auth=False)])
    with attacked(door, rate_window_s=0.8, connections=2, linger_s=1.0) as made:
        yield made


def talk(port: Attacked, path: str = "/echo", **more: Any) -> ClientConnection:
    return connect(f"ws://127.0.0.1:{port.port}{path}", proxy=None, open_timeout=30, legacy=True, **more)


def is_open(port: Attacked, count: int) -> None:
    wait_until(lambda: port.connections.counts()["open"] == count, f"{count} connections are open")


def test_one_counts_as_long_as_it_is_open(port: Attacked, parrot: Parrot) -> None:
    with talk(port) as one, talk(port) as other:
        for client in (one, other, one):
            client.send("hello")
            assert client.recv(30) == "hello"
        is_open(port, 2)
        assert port.ask(UPGRADE).startswith(b"HTTP/1.1 503 ")
    is_open(port, 0)
    assert parrot.codes == [1000, 1000]


def test_a_path_without_one_is_404(port: Attacked) -> None:
    with pytest.raises(InvalidStatus) as told:
        talk(port, "/nowhere")
    assert told.value.response.status_code == 404
    assert b"no websocket" in told.value.response.body
    is_open(port, 0)
    assert port.ask(get("/echo")).startswith(b"HTTP/1.1 426 ")


def test_the_listener_leaves_and_each_is_told_to_come_again(port: Attacked, parrot: Parrot) -> None:
    with talk(port) as client:
        client.send("hello")
        assert client.recv(30) == "hello"
        port.listener.stop()
        with pytest.raises(ConnectionClosed) as told:
            client.recv(30)
    assert told.value.rcvd is not None
    assert told.value.rcvd.code == 1012
    assert parrot.codes == [1012]


def test_a_message_has_a_bound(port: Attacked) -> None:
    with talk(port) as client:
        client.send("a" * (MIB + 1))
        with pytest.raises(ConnectionClosed) as told:
            client.recv(30)
    assert told.value.rcvd is not None
    assert told.value.rcvd.code == 1009


def test_who_does_not_read_is_cut_off(port: Attacked) -> None:
    with talk(port, max_queue=1) as client:
        client.send("flood")
        wait_until(lambda: port.connections.counts().get("slow reader"), "it is cut off")
        is_open(port, 0)


def test_none_is_opened_while_a_request_is_under_way() -> None:
    waits, goes = threading.Event(), threading.Event()

    async def slow(_scope: Any, receive: Any, _send: Any) -> None:
        waits.set()
        while (await receive())["type"] != "http.disconnect":
            pass
        goes.set()

    with attacked(slow) as port:
        client = port.connect(head("GET", "/slow"))
        assert waits.wait(30)
        client.sendall(UPGRADE)
        assert client.recv(65536).startswith(b"HTTP/1.1 400 ")
        assert goes.wait(30)
