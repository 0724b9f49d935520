from __future__ import annotations

import socket
import subprocess
import sys
from pathlib import Path

import kilonova.cli
from kilonova.cli.ways import connected, ssh_options

THROUGH = Path(kilonova.cli.__file__).with_name("through.py")


def heard(listener: socket.socket) -> bytes:
    connection, _ = listener.accept()
    with connection:
        return connection.recv(5)


def test_a_guest_of_no_network_here_is_reached_straight_on() -> None:
    assert ssh_options(None) == ()
    with socket.create_server(("127.0.0.1", 0)) as there, connected(None, *there.getsockname(), timeout_s=5) as ours:
        ours.sendall(b"hello")
        assert heard(there) == b"hello"


def test_ssh_is_given_a_connection_made_in_the_namespace() -> None:
    fdpass, command = ssh_options("knb0-tag")[1::2]
    assert fdpass == "ProxyUseFdpass=yes"
    assert command.startswith(("ProxyCommand=ip netns exec knb0-tag ", "ProxyCommand=sudo ip netns exec knb0-tag "))
    assert command.endswith(f"{THROUGH} %h %p")


def test_the_helper_hands_its_connection_over() -> None:
    ours, theirs = socket.socketpair()
    with socket.create_server(("127.0.0.1", 0)) as there, ours, theirs:
        host, port = there.getsockname()
        subprocess.run([sys.executable, THROUGH, host, str(port)], stdout=theirs, check=True, timeout=20)
        _, (descriptor,), _, _ = socket.recv_fds(ours, 1, 1)
        with socket.socket(fileno=descriptor) as connection:
            connection.sendall(b"hello")
            assert heard(there) == b"hello"


def test_the_helper_says_what_it_did_not_reach() -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        words = [sys.executable, str(THROUGH), "127.0.0.1", str(closed.getsockname()[1])]
        done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=20)
    assert done.returncode == 1
    assert "is not reached: Connection refused" in done.stderr
