"""Uploads and downloads, and what can break them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import anyio
import anyio.lowlevel
import structlog
from starlette.testclient import TestClient

from kilonova.api.framework import Rim, Stream
from tests.apiclient import FakeAuthenticator
from tests.unit.api.framework.conftest import CALLERS
from tests.unit.api.framework.example import Kites, kite_service, policy
from tests.unit.api.framework.journeys import BASE, rim_of


def test_uploads_pass_the_size_limit_and_come_in_chunks(open_client: Callable[..., TestClient], kites: Kites) -> None:
    reply = open_client(max_body=10).put(BASE + "/kites/k1/file", content=iter([b"ab", b"cdefg", b"x" * 50_000]))
    assert reply.status_code == 204
    assert kites.uploaded == 50_007


def test_downloads_stream_and_are_closed(api: TestClient, kites: Kites) -> None:
    reply = api.get(BASE + "/kites/k1/file")
    assert reply.content == b"x" * 4000
    assert reply.headers["Content-Length"] == "4000"
    assert kites.closed.wait(5)


def test_a_head_of_a_download_draws_nothing(api: TestClient) -> None:
    reply = api.head(BASE + "/kites/k1/file")
    assert (reply.status_code, reply.content, reply.headers["Content-Length"]) == (200, b"", "4000")


def test_a_broken_upload_is_broken_off(kites: Kites) -> None:
    rim = Rim([kite_service(kites)], authenticator=FakeAuthenticator(CALLERS), policy=policy())
    sent = []

    async def break_off() -> None:
        messages = iter([{"type": "http.request", "body": b"abcd", "more_body": True}, {"type": "http.disconnect"}])

        async def receive() -> Any:
            return next(messages)

        async def send(message: Any) -> None:
            sent.append(message)

        scope = {
            "type": "http",
            "method": "PUT",
            "scheme": "http",
            "path": BASE + "/kites/k1/file",
            "query_string": b"",
            "headers": [(b"x-auth-token", b"member")],
        }
        await rim(scope, receive, send)

    anyio.run(break_off)
    assert sent == []
    assert kites.broken_off.is_set()
    assert kites.uploaded == 0


def test_an_upload_that_is_refused_half_way_is_told_why(api: TestClient, kites: Kites) -> None:
    reply = api.put(BASE + "/kites/k1/file", content=iter([b"ab", b"\0", b"x"]))
    assert (reply.status_code, kites.uploaded) == (409, 0)


def run_raw(rim: Rim, path: str, arriving: Any) -> list[Any]:
    """One GET on the bare ASGI interface; `arriving` is the coroutine function that gives what the client sends."""
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {
        "type": "http",
        "method": "GET",
        "scheme": "http",
        "path": BASE + path,
        "query_string": b"",
        "headers": [(b"x-auth-token", b"member")],
    }
    anyio.run(rim, scope, arriving, send)
    return sent


class Torrents(Kites):
    """Downloads that go wrong."""

    def __init__(self, *, broken: bool) -> None:
        super().__init__()
        self.broken = broken
        self.drawn = 0

    def download(self, req: Any) -> Stream:
        def chunks() -> Any:
            try:
                while True:
                    self.drawn += 1
                    if self.broken and self.drawn == 3:
                        raise OSError("the disk is on fire")
                    yield b"x"
            finally:
                self.closed.set()

        return Stream(chunks())


def test_a_client_that_leaves_a_download_ends_it() -> None:
    torrents = Torrents(broken=False)

    async def arriving() -> Any:
        with anyio.fail_after(10):
            while torrents.drawn < 3:
                await anyio.lowlevel.checkpoint()
        return {"type": "http.disconnect"}

    with structlog.testing.capture_logs() as logs:
        run_raw(rim_of(torrents), "/kites/k1/file", arriving)
    assert torrents.closed.is_set()
    assert logs[-1]["status"] == 499


def test_a_download_that_breaks_is_broken_off_and_logged() -> None:
    torrents = Torrents(broken=True)

    async def arriving() -> Any:
        await anyio.sleep_forever()

    with structlog.testing.capture_logs() as logs:
        sent = run_raw(rim_of(torrents), "/kites/k1/file", arriving)
    assert [message.get("body") for message in sent[1:]] == [b"x", b"x"]
    assert all(message["more_body"] for message in sent[1:])
    assert "the disk is on fire" in next(entry for entry in logs if entry["event"] == "bug")["traceback"]
    assert torrents.closed.is_set()
