"""The sockets, on the loopback device."""

from __future__ import annotations

import http.client
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from kilonova.agent.metadata.limits import Limits
from kilonova.agent.metadata.passwords import PasswordFiles
from kilonova.agent.metadata.server import MetadataServer
from kilonova.domain.machine import GuestData
from tests.netparts import guest_data

PATIENCE_S = 10


def only_loopback(network_id: str, address: str) -> GuestData | None:
    return guest_data("mine") if (network_id, address) == ("n1", "127.0.0.1") else None


@pytest.fixture
def server(tmp_path: Path) -> Iterator[MetadataServer]:
    passwords = PasswordFiles(tmp_path / "passwords", lambda _server, _password: None)
    limits = Limits(connections_per_guest=2, burst=5, requests_per_s=0.001, seconds_per_connection=0.2)
    server = MetadataServer(only_loopback, passwords, limits)
    yield server
    server.close()


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
    assert ask(port, "DELETE", "/latest")[0] == 501
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
