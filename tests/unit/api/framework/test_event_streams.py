"""Server-sent events on real sockets: resumed, bounded, apart by project, and a thousand of them without a thread."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import pytest

from kilonova.api.framework import Limits, Policy, Rim
from kilonova.api.framework.connections import ConnectionLimits, Connections
from kilonova.api.framework.door import FrontDoor
from kilonova.api.framework.events import EventStream
from kilonova.api.framework.mounts import Mount
from kilonova.daemon.descriptors import raise_descriptor_limit
from kilonova.daemon.listener import Listener
from tests.apiclient import FakeAuthenticator, caller
from tests.brokers import free_ports
from tests.eventsource import MemoryEvents
from tests.waiting import wait_until

TOKENS = {"member": caller("abc"), "other": caller("xyz"), "admin": caller("adm", "admin")}
MANY = 1000


class Streams:
    """A listener with streams at /events; what is opened here is closed in the end."""

    def __init__(self, stack: ExitStack, limits: Limits, drain_s: int, **stream: Any) -> None:
        self._stack, self.source = stack, MemoryEvents()
        self.rim = Rim([], authenticator=FakeAuthenticator(TOKENS), policy=Policy([]), limits=limits)
        self.door = FrontDoor(self.rim, [Mount("/events", "events", EventStream(self.source, **stream))])
        [self.port] = free_ports(1)
        connections = Connections(ConnectionLimits(per_address=2 * MANY, rate_window_s=60.0))
        self.listener = Listener(
            self.door, "127.0.0.1", self.port, drain_s=drain_s, connections=connections, on_leave=self.door.leave
        )

    def ask(self, who: str = "member", last: str | None = None, method: str = "GET") -> socket.socket:
        """A client that has asked."""
        made = self._stack.enter_context(socket.create_connection(("127.0.0.1", self.port), 60))
        resumed = "" if last is None else f"Last-Event-ID: {last}\r\n"
        made.sendall(f"{method} /events HTTP/1.1\r\nHost: h\r\nX-Auth-Token: {who}\r\n{resumed}\r\n".encode())
        return made

    def open(self, who: str = "member", last: str | None = None) -> socket.socket:
        """A client whose stream has begun."""
        made = self.ask(who, last)
        heard(made, b": welcome")
        return made

    def joined(self, count: int) -> None:
        """Wait until so many have begun."""
        wait_until(lambda: self.rim.transfers.counts()["event streams"]["inside"] == count, f"{count} streams")


@contextmanager
def served(limits: Limits | None = None, drain_s: int = 30, **stream: Any) -> Iterator[Streams]:
    with ExitStack() as stack:
        made = Streams(stack, limits or Limits(), drain_s, **{"heartbeat_s": 60.0, **stream})
        made.listener.start()
        try:
            yield made
        finally:
            made.listener.stop()


def heard(client: socket.socket, until: bytes) -> bytes:
    """What comes up to these bytes."""
    found = b""
    while until not in found:
        more = client.recv(1 << 20)
        assert more, f"it ended after {found[-500:]!r}"
        found += more
    return found


def rest(client: socket.socket) -> bytes:
    return b"".join(iter(lambda: client.recv(1 << 20), b""))


def test_a_thousand_idle_streams_cost_no_thread_and_one_event_reaches_all() -> None:
    raise_descriptor_limit()
    with served(Limits(event_streams=MANY, project_event_streams=MANY)) as streams:
        clients = [streams.open()]
        streams.source.add("warm")
        heard(clients[0], b"event: warm")
        before = threading.active_count()
        clients += [streams.open() for _ in range(MANY - 1)]
        streams.joined(MANY)
        assert threading.active_count() <= before + 2  # those that ask the source, whoever asks
        reads = streams.source.reads
        streams.source.add("server.update", data=b'{"n":1}')
        for client in clients:
            assert b'id: 2\nevent: server.update\ndata: {"n":1}\n\n' in heard(
                client, b'event: server.update\ndata: {"n":1}\n\n'
            )
        assert streams.source.reads == reads + 1
        assert threading.active_count() <= before + 2
        assert streams.ask().recv(12) == b"HTTP/1.1 429"


def test_each_project_hears_of_its_own_and_an_administrator_of_all() -> None:
    with served() as streams:
        member, other, admin = (streams.open(token) for token in ("member", "other", "admin"))
        streams.source.add("hidden", None)
        for project in ("abc", "xyz"):
            streams.source.add(f"of-{project}", project)
        streams.source.add("end")
        streams.source.add("end", "xyz")
        for client, its, foreign in ((member, b"of-abc", b"of-xyz"), (other, b"of-xyz", b"of-abc")):
            told = heard(client, b"event: end")
            assert (its in told, foreign in told, b"hidden" in told) == (True, False, False)
        assert heard(admin, b"event: end").count(b"of-") == 2


def test_who_comes_again_hears_what_was_missed_once_and_in_order() -> None:
    with served() as streams:
        for _ in range(600):  # more than two batches
            streams.source.add("past")
        live = streams.open()
        again = streams.ask(last="3")
        streams.source.add("now")
        text = heard(again, b"event: now\ndata: {}\n\n")
        ids = [int(line.removeprefix(b"id: ")) for line in text.splitlines() if line.startswith(b"id: ")]
        assert ids == list(range(4, 602))
        assert b"past" not in heard(live, b"event: now")


@pytest.mark.parametrize("last", ["1", "9"])
def test_who_comes_from_before_what_is_kept_or_from_another_life_is_told(last: str) -> None:
    with served() as streams:
        for _ in range(5):
            streams.source.add("past")
        streams.source.oldest = 3
        client = streams.ask(last=last)
        assert b"past" not in heard(client, b"event: gap")
        streams.source.add("now")
        assert b"past" not in heard(client, b"id: 6\nevent: now")


def test_what_cannot_be_served_is_told_in_the_usual_way() -> None:
    with served() as streams:
        assert streams.ask("unknown").recv(12) == b"HTTP/1.1 401"
        assert streams.ask(last="x").recv(12) == b"HTTP/1.1 400"
        assert streams.ask(last="9" * 30).recv(12) == b"HTTP/1.1 400"
        assert streams.ask(method="DELETE").recv(12) == b"HTTP/1.1 405"


def test_a_heartbeat_comes_while_nothing_happens() -> None:
    with served(heartbeat_s=0.05) as streams:
        heard(streams.open(), b": heartbeat\n\n")


def test_a_stream_outlives_no_hour_of_its_token() -> None:
    with served(heartbeat_s=0.05, life_s=0.1) as streams:
        assert rest(streams.open()).endswith(b"\r\n0\r\n\r\n")


def test_who_comes_while_the_listener_leaves_is_sent_away() -> None:
    with served() as streams:
        streams.door.leave()
        assert streams.ask().recv(12) == b"HTTP/1.1 503"


def test_who_does_not_read_is_told_and_let_go_and_holds_up_nobody() -> None:
    with served(backlog=8) as streams:
        slow, quick = streams.open(), streams.open()
        big = b'"%s"' % (b"a" * (1 << 20))
        for number in range(40):
            streams.source.add(f"n{number}", data=big)
            heard(quick, b"event: n%d\n" % number)
        told = rest(slow)
        assert b"event: overflow" in told
        assert b"event: n39\n" not in told
        last = max(int(line.removeprefix(b"id: ")) for line in told.splitlines() if line.startswith(b"id: "))
        again = heard(streams.ask(last=str(last)), b"id: 40\n")
        assert b"id: %d\n" % (last + 1) in again


def test_who_does_not_read_when_time_is_over_is_broken_off() -> None:
    with served(drain_s=1) as streams:
        slow, quick = streams.open(), streams.open()
        for _ in range(40):
            streams.source.add("big", data=b'"%s"' % (b"a" * (1 << 20)))
        heard(quick, b"id: 40\n")  # so that the other's are under way as well
        streams.listener.stop()
        with pytest.raises(ConnectionResetError):
            rest(slow)


def test_who_leaves_makes_room() -> None:
    with served(Limits(project_event_streams=1)) as streams:
        streams.open().close()
        streams.joined(0)
        streams.open()


def test_when_the_listener_leaves_its_port_streams_end_whole() -> None:
    with served() as streams:
        client = streams.open()
        streams.listener.stop()
        assert rest(client).endswith(b"being stopped\n\n\r\n0\r\n\r\n")
