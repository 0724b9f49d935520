"""Clients that do not get on with it, or are too many, on a real socket."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from tests.story.hostile.attackers import Attacked, attacked, get, head, one, rest
from tests.waiting import wait_until

HEAD_S, WINDOW_S = 0.6, 0.8
BIG = 8 << 20


async def echo(scope: Any, receive: Any, send: Any) -> None:
    """Says how long the body was, or who asks; `/early` does not wait for it, and `/big` answers more than sockets hold."""
    size = 0
    while scope["path"] != "/early" and (message := await receive())["type"] == "http.request":
        size += len(message["body"])
        if not message["more_body"]:
            break
    body = {"/who": scope["client"][0].encode(), "/big": bytes(BIG)}.get(scope["path"], b"%07d" % size)
    length = b"%d" % len(body)
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", length)]})
    await send({"type": "http.response.body", "body": body})


@pytest.fixture
def hasty() -> Iterator[Attacked]:
    with attacked(echo, head_s=HEAD_S, rate_window_s=WINDOW_S, keep_alive_s=1, linger_s=1.0) as made:
        yield made


def test_a_head_without_end_is_refused(hasty: Attacked) -> None:
    begin = b"GET / HTTP/1.1\r\nHost: x\r\nX-More: "
    assert hasty.ask(begin + b"a" * hasty.connections.limits.head_bytes).startswith(b"HTTP/1.1 431 ")


@pytest.mark.parametrize("said", [b"", b"GET / HT", b"GET / HTTP/1.1\r\nHost: x\r\nX-Slow: "])
def test_who_does_not_finish_the_head_is_sent_away(hasty: Attacked, said: bytes) -> None:
    assert hasty.ask(said).startswith(b"HTTP/1.1 408 ")


@pytest.mark.parametrize("more", [b"GET / HTTP/1.1\r\n", b"\r\n"])
def test_what_comes_after_an_answer_is_held_to_it_too(hasty: Attacked, more: bytes) -> None:
    client = hasty.connect(head("GET", "/"))
    assert one(client, b"0000000").startswith(b"HTTP/1.1 200 ")
    client.sendall(more)
    assert rest(client).startswith(b"HTTP/1.1 408 ")


def test_a_body_may_be_longer_and_slower_than_a_head(hasty: Attacked) -> None:
    size = 300_000
    client = hasty.connect(head("POST", "/", Content_Length=str(size)))
    client.sendall(b"a" * (size - 1))
    threading.Event().wait(HEAD_S)
    client.sendall(b"a")
    assert one(client, b"0300000").startswith(b"HTTP/1.1 200 ")


@pytest.mark.parametrize("said", [b"", b"{", b"a" * 100_000])
def test_a_silent_body_is_sent_away(hasty: Attacked, said: bytes) -> None:
    assert hasty.ask(head("POST", "/", Content_Length="1000000") + said).startswith(b"HTTP/1.1 408 ")
    wait_until(lambda: hasty.connections.counts()["open"] == 0, "it costs nothing any more")
    assert hasty.connections.counts()["request timeout"] == 1


def test_a_body_that_trickles_is_sent_away(hasty: Attacked) -> None:
    client = hasty.connect(head("POST", "/", Content_Length="1000000"))
    until = time.monotonic() + 30
    client.setblocking(False)
    while time.monotonic() < until:
        try:
            client.send(b"a")
            said = client.recv(65536)
        except BlockingIOError:
            threading.Event().wait(0.05)
            continue
        break
    assert said.startswith(b"HTTP/1.1 408 ")


def test_a_body_that_comes_steadily_may_take_its_time(hasty: Attacked) -> None:
    rounds, part = 12, b"a" * 1000
    client = hasty.connect(head("POST", "/", Content_Length=str(rounds * len(part))))
    for _ in range(rounds):
        client.sendall(part)
        threading.Event().wait(WINDOW_S / 4)
    assert one(client, b"0012000").startswith(b"HTTP/1.1 200 ")


def test_who_does_not_take_the_answer_is_cut_off(hasty: Attacked) -> None:
    client = hasty.connect(get("/big"))
    wait_until(lambda: hasty.connections.counts().get("slow reader"), "it is noticed")
    wait_until(lambda: hasty.connections.counts()["open"] == 0, "it is gone")
    with pytest.raises(ConnectionResetError):
        rest(client)


def test_who_takes_the_answer_slowly_gets_all_of_it(hasty: Attacked) -> None:
    client, size = hasty.connect(get("/big")), 0
    while more := client.recv(1 << 18):
        size += len(more)
        threading.Event().wait(0.1)
    assert size > BIG


def test_an_idle_connection_ends_without_a_reset(hasty: Attacked) -> None:
    client = hasty.connect(head("GET", "/"))
    one(client, b"0000000")
    assert rest(client) == b""
    client.sendall(head("GET", "/"))  # it was on its way as the connection ended
    assert rest(client) == b""


@pytest.mark.parametrize("size", [20_000_000, 40_000_000])
def test_an_answer_before_the_body_reaches_who_still_sends(hasty: Attacked, size: int) -> None:
    client = hasty.connect(head("POST", "/early", Content_Length=str(size)))
    client.sendall(bytes(size // 2))
    assert rest(client).startswith(b"HTTP/1.1 200 ")
    wait_until(lambda: hasty.connections.counts()["open"] == 0, "it is not listened to for ever")


def test_it_is_not_a_body_that_waits_for_leave(hasty: Attacked) -> None:
    client = hasty.connect(head("POST", "/", Content_Length="3", Expect="100-continue"))
    assert one(client).startswith(b"HTTP/1.1 100 ")
    client.sendall(b"abc")
    assert one(client, b"0000003").startswith(b"HTTP/1.1 200 ")


def test_an_upgrade_does_not_lead_around_the_bounds(hasty: Attacked) -> None:
    asked = get("/", Upgrade="websocket", Sec_WebSocket_Key="dGhlIHNhbXBsZSBub25jZQ==", Sec_WebSocket_Version="13")
    upgrade = asked.replace(b"Connection: close", b"Connection: Upgrade")
    long = upgrade[:-2] + b"X-More: " + b"a" * hasty.connections.limits.head_bytes
    assert hasty.ask(long).startswith(b"HTTP/1.1 431 ")
    assert hasty.ask(upgrade[:-2]).startswith(b"HTTP/1.1 408 ")


# --- how many -----------------------------------------------------------------------------------------------------------


def fill(crowded: Attacked, count: int, address: str) -> None:
    before = crowded.connections.counts()["open"]
    for _ in range(count):
        crowded.connect(b"POST / HTTP/1.1\r\n", address)
    wait_until(lambda: crowded.connections.counts()["open"] == before + count, "they are connected")


@pytest.fixture
def crowded() -> Iterator[Attacked]:
    paths = frozenset((b"/health",))
    with attacked(echo, connections=30, per_address=20, always_answered=paths) as made:
        yield made


def test_an_address_has_so_many_connections_and_others_have_theirs(crowded: Attacked) -> None:
    fill(crowded, 20, "127.0.0.2")
    told = crowded.ask(get("/"), "127.0.0.2")
    assert told.startswith(b"HTTP/1.1 429 ")
    assert b"retry-after: " in told
    assert crowded.ask(get("/"), "127.0.0.3").startswith(b"HTTP/1.1 200 ")


def test_health_answers_when_all_connections_are_taken(crowded: Attacked) -> None:
    fill(crowded, 20, "127.0.0.2")
    fill(crowded, 10, "127.0.0.3")
    for _ in range(100):
        crowded.connect(b"", "127.0.0.4")  # silent ones over the bound, more than there is room for
    told = crowded.ask(get("/"), "127.0.0.5")
    assert told.startswith(b"HTTP/1.1 503 ")
    assert b"retry-after: " in told
    assert crowded.ask(get("/health?x=y"), "127.0.0.5").startswith(b"HTTP/1.1 200 ")
    assert crowded.connections.counts()["open"] == 30


def test_a_connection_that_ends_makes_room(crowded: Attacked) -> None:
    clients = [crowded.connect(b"", "127.0.0.2") for _ in range(20)]
    wait_until(lambda: crowded.connections.counts()["open"] == 20, "they are connected")
    clients[0].close()
    wait_until(lambda: crowded.connections.counts()["open"] == 19, "one has gone")
    assert crowded.ask(get("/"), "127.0.0.2").startswith(b"HTTP/1.1 200 ")


# --- who ----------------------------------------------------------------------------------------------------------------


def who(listener: Attacked, address: str, forwarded: str) -> bytes:
    return listener.ask(get("/who", X_Forwarded_For=forwarded), address).rpartition(b"\r\n\r\n")[2]


def test_nobody_is_believed_to_speak_for_others_unless_named(hasty: Attacked) -> None:
    assert who(hasty, "127.0.0.1", "203.0.113.9") == b"127.0.0.1"


def test_a_named_proxy_says_who_asks_and_clients_cannot_make_it_up() -> None:
    with attacked(echo, trusted_proxies=("127.0.0.8/31",), per_address=2) as proxied:
        assert who(proxied, "127.0.0.8", "203.0.113.9") == b"203.0.113.9"
        assert who(proxied, "127.0.0.8", "10.0.0.1, 203.0.113.9, 127.0.0.9") == b"203.0.113.9"
        assert who(proxied, "127.0.0.7", "203.0.113.9") == b"127.0.0.7"
        fill(proxied, 5, "127.0.0.9")  # the proxy's connections are those of many
