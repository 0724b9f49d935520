"""The sockets, on the loopback device."""

from __future__ import annotations

import base64
import contextlib
import http.client
import select
import socket
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from kilonova.agent.metadata.limits import MetadataLimits
from kilonova.agent.metadata.passwords import PasswordFiles
from kilonova.agent.metadata.server import MetadataServer
from kilonova.domain.machine import GuestData
from tests.netparts import guest_data

PATIENCE_S = 10
LARGE = 6 << 20  # more than the kernel keeps for who does not read


def whose(network_id: str, address: str) -> str | None:
    """On n1 each server has two addresses: 127.0.1.7 and 127.0.2.7 are those of the seventh."""
    *_, block, number = address.split(".")
    return {"0": "mine", "1": number, "2": number}.get(block) if network_id == "n1" else None


def guest_of(server_id: str) -> GuestData | None:
    """The last has much to tell."""
    data = base64.b64encode(b"x" * LARGE).decode() if server_id == "99" else None
    return msgspec.structs.replace(guest_data(server_id), user_data=data)


def started(folder: Path, **limits: float) -> MetadataServer:
    passwords = PasswordFiles(folder / "passwords", lambda _server, _password: None)
    return MetadataServer(whose, guest_of, passwords, MetadataLimits(**limits))  # type: ignore[arg-type]


@pytest.fixture
def server(tmp_path: Path) -> Iterator[MetadataServer]:
    server = started(tmp_path, connections_per_server=2, burst=7, requests_per_s=0.001, seconds_to_ask=0.2)
    yield server
    server.close()


@pytest.fixture
def patient(tmp_path: Path) -> Iterator[MetadataServer]:
    """One that cuts nobody off while a test runs."""
    server = started(tmp_path, seconds_to_ask=PATIENCE_S * 60, seconds_per_connection=PATIENCE_S * 60, connections=64)
    yield server
    server.close()


def connect(port: int, source: str) -> socket.socket:
    return socket.create_connection(("127.0.0.1", port), timeout=PATIENCE_S, source_address=(source, 0))


def is_open(connection: socket.socket) -> bool:
    """Whether the server has neither answered nor hung up."""
    return not select.select([connection], [], [], 0)[0]


def ask(port: int, method: str, path: str, **more: object) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE_S)
    try:
        connection.request(method, path, **more)
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


def test_it_reads_writes_and_refuses(server: MetadataServer) -> None:
    port = server.serve("n1", "lo")
    assert server.serve("n1", "lo") == port
    assert ask(port, "GET", "/latest/meta-data/hostname") == (200, b"mine.novalocal")
    assert ask(port, "HEAD", "/latest/meta-data/hostname") == (200, b"")
    assert ask(port, "POST", "/openstack/latest/password", body=b"x" * 9999)[0] == 413
    assert ask(port, "POST", "/openstack/latest/password", headers={"Content-Length": "-1"})[0] == 411
    assert ask(port, "DELETE", "/latest")[0] == 405
    assert ask(port, "NONSENSE", "/latest")[0] == 405
    assert ask(port, "GET", "/openstack/latest/password") == (200, b"")
    assert ask(port, "GET", "/latest")[0] == 429


def test_a_stranger_is_told_nothing(server: MetadataServer) -> None:
    assert ask(server.serve("n2", "lo"), "GET", "/latest/meta-data/hostname")[0] == 404


def test_who_does_not_finish_is_cut_off(server: MetadataServer) -> None:
    port = server.serve("n1", "lo")
    with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE_S) as slow:
        slow.sendall(b"GET /latest HT")
        assert slow.recv(1) == b""


def test_one_connection_too_many_is_closed(server: MetadataServer) -> None:
    port = server.serve("n1", "lo")
    held = [socket.create_connection(("127.0.0.1", port), timeout=PATIENCE_S) for _ in range(3)]
    try:
        assert held[2].recv(1) == b""
    finally:
        for connection in held:
            connection.close()


def test_a_forgotten_network_is_not_listened_to(server: MetadataServer) -> None:
    port = server.serve("n1", "lo")
    server.forget("lo")
    with pytest.raises(ConnectionRefusedError):
        ask(port, "GET", "/latest")
    assert ask(server.serve("n1", "lo"), "GET", "/latest/meta-data/hostname")[0] == 200


def test_closing_twice_is_closing_once(server: MetadataServer) -> None:
    server.serve("n1", "lo")
    server.close()
    server.close()


SLOW = {
    "silent": b"",
    "half a head": b"GET /latest/meta-data/hostname HT",
    "half a body": b"POST /openstack/latest/password HTTP/1.1\r\nContent-Length: 1000\r\n\r\nhalf",
}


@pytest.mark.parametrize("said", SLOW.values(), ids=SLOW)
def test_slow_guests_cost_a_neighbour_nothing(patient: MetadataServer, said: bytes) -> None:
    """As many as there may be, of four guests and more; the neighbour is answered while they are all there."""
    port = patient.serve("n1", "lo")
    with contextlib.ExitStack() as stack:
        slow = [stack.enter_context(connect(port, f"127.0.1.{guest}")) for guest in range(1, 8) for _ in range(8)]
        for connection in slow:
            connection.sendall(said)
        assert ask(port, "GET", "/latest/meta-data/hostname") == (200, b"mine.novalocal")
        assert all(map(is_open, slow))


def test_guests_that_do_not_listen_cost_a_neighbour_nothing(patient: MetadataServer) -> None:
    port = patient.serve("n1", "lo")
    with contextlib.ExitStack() as stack:
        deaf = [stack.enter_context(connect(port, "127.0.1.99")) for _ in range(8)]
        for connection in deaf:
            connection.sendall(b"GET /latest/user-data HTTP/1.1\r\n\r\n")
        for connection in deaf:
            assert connection.recv(1, socket.MSG_PEEK)  # it is being answered
        assert ask(port, "GET", "/latest/meta-data/hostname") == (200, b"mine.novalocal")
        got = b"".join(iter(lambda: deaf[0].recv(1 << 20), b""))
        assert len(got.partition(b"\r\n\r\n")[2]) == LARGE


def test_a_server_is_one_whatever_address_it_asks_from(patient: MetadataServer) -> None:
    port = patient.serve("n1", "lo")
    with contextlib.ExitStack() as stack:
        held = [stack.enter_context(connect(port, f"127.0.{1 + turn % 2}.7")) for turn in range(9)]
        assert held[8].recv(1) == b""
        assert all(map(is_open, held[:8]))


def test_strangers_are_one_together(patient: MetadataServer) -> None:
    port = patient.serve("n2", "lo")
    with contextlib.ExitStack() as stack:
        held = [stack.enter_context(connect(port, f"127.0.1.{turn}")) for turn in range(1, 10)]
        assert held[8].recv(1) == b""
        assert all(map(is_open, held[:8]))


def test_when_all_places_are_taken_who_has_most_gives_one_up(patient: MetadataServer) -> None:
    port = patient.serve("n1", "lo")
    with contextlib.ExitStack() as stack:
        greedy = [stack.enter_context(connect(port, f"127.0.1.{guest}")) for guest in range(1, 9) for _ in range(8)]
        assert ask(port, "GET", "/latest/meta-data/hostname") == (200, b"mine.novalocal")
        assert sum(map(is_open, greedy)) == 63


def test_a_head_without_an_end_is_too_long(patient: MetadataServer) -> None:
    with connect(patient.serve("n1", "lo"), "127.0.0.1") as connection:
        connection.sendall(b"GET /latest HTTP/1.1\r\n" + b"x: y\r\n" * 2000)
        assert connection.recv(100).startswith(b"HTTP/1.1 431 ")


def test_a_body_that_is_asked_for_first_is_asked_for(patient: MetadataServer) -> None:
    with connect(patient.serve("n1", "lo"), "127.0.0.1") as connection:
        head = b"POST /openstack/latest/password HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n"
        connection.sendall(head)
        assert connection.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
        connection.sendall(b"c2Vj")
        assert connection.recv(100).startswith(b"HTTP/1.1 200 ")
        assert ask(patient.serve("n1", "lo"), "GET", "/openstack/latest/password") == (200, b"c2Vj")


@pytest.mark.parametrize("said", [b"\r\n\r\n", b"nonsense\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n", b"\0\xff\r\n\r\n"])
def test_what_is_no_http_is_told_so(patient: MetadataServer, said: bytes) -> None:
    with connect(patient.serve("n1", "lo"), "127.0.0.1") as connection:
        connection.sendall(said)
        assert connection.recv(100).startswith((b"HTTP/1.1 400 ", b"HTTP/1.1 505 "))
