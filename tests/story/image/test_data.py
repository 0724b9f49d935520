"""Bits over HTTP: in, out, in part, and not at all."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import anyio
import pytest
from starlette.testclient import TestClient

from kilonova.image.service import ImageService
from tests.fakes.auth import MEMBER_A
from tests.imageparts import BASE, OCTETS, active, iso, qcow2, queued, rim, sent


def status(api: TestClient, ident: str) -> str:
    return str(api.get(f"{BASE}/{ident}").json()["status"])


@pytest.mark.parametrize(
    ("disk_format", "container_format", "content", "virtual_size"),
    [
        ("raw", "bare", b"x" * 3_000_000, 3_000_000),
        ("qcow2", "bare", qcow2(virtual=12345), 12345),
        ("iso", "bare", iso(), len(iso())),
        ("aki", "aki", b"kernel", 6),
        ("ari", "ari", b"ramdisk", 7),
        ("ami", "ami", b"disk", 4),
    ],
)
def test_every_format_goes_in_and_comes_out(
    mine: TestClient, disk_format: str, container_format: str, content: bytes, virtual_size: int
) -> None:
    ident = active(mine, content, disk_format, container_format=container_format)
    shown = mine.get(f"{BASE}/{ident}").json()
    assert (shown["status"], shown["size"], shown["virtual_size"]) == ("active", len(content), virtual_size)
    assert (shown["os_hash_algo"], len(shown["os_hash_value"]), len(shown["checksum"])) == ("sha512", 128, 32)
    reply = mine.get(f"{BASE}/{ident}/file")
    assert (reply.status_code, reply.content) == (200, content)
    assert (reply.headers["Content-MD5"], reply.headers["Content-Length"]) == (shown["checksum"], str(len(content)))


def test_a_body_without_a_length_will_do(mine: TestClient) -> None:
    ident = queued(mine)

    def chunks() -> Iterator[bytes]:
        yield from (b"a", b"b" * 70_000)

    assert sent(mine, ident, chunks()).status_code == 204
    assert mine.get(f"{BASE}/{ident}").json()["size"] == 70_001


@pytest.mark.parametrize(
    ("disk_format", "content", "told"),
    [
        ("raw", qcow2(), "its content is qcow2"),
        ("aki", qcow2(backing=104), "its content is qcow2"),
        ("qcow2", b"x" * 5000, "declared as qcow2"),
        ("qcow2", qcow2(backing=104), "backing_file"),
        ("qcow2", qcow2(features=4), "data_file"),
        ("qcow2", qcow2(crypt=2), "encrypted"),
        ("qcow2", qcow2()[:2000], "truncated"),
        ("qcow2", qcow2(bits=21, virtual=1 << 41, l1_entries=4), "over the limit of"),
        ("iso", iso(20, there=18), "truncated"),
        ("iso", b"", "empty"),
        ("raw", b"", "empty"),
    ],
)
def test_hostile_bits_are_refused_by_name(mine: TestClient, disk_format: str, content: bytes, told: str) -> None:
    ident = queued(mine, disk_format)
    reply = sent(mine, ident, content)
    assert (reply.status_code, told in reply.json()["error"]["message"]) == (400, True), reply.text
    assert status(mine, ident) == "queued"
    assert mine.get(f"{BASE}/{ident}/file").status_code == 204


def test_bits_are_for_queued_images_of_a_format(mine: TestClient) -> None:
    assert sent(mine, active(mine), b"again").status_code == 409
    bare = mine.post(BASE, json={}).json()["id"]
    assert sent(mine, bare, b"x").status_code == 400


@pytest.mark.parametrize("media", [None, "application/json", "text/plain"])
def test_bits_are_octets(mine: TestClient, media: str | None) -> None:
    headers = {} if media is None else {"Content-Type": media}
    ident = queued(mine)
    assert mine.put(f"{BASE}/{ident}/file", content=b"x", headers=headers).status_code == 415
    assert status(mine, ident) == "queued"


@pytest.mark.parametrize(("size", "answer"), [("3", 204), ("4", 400), ("-1", 400), ("many", 400), ("9" * 40, 400)])
def test_the_size_said_beforehand_is_held_to(mine: TestClient, size: str, answer: int) -> None:
    ident = queued(mine)
    headers = {**OCTETS, "X-OpenStack-Image-Size": size}
    assert mine.put(f"{BASE}/{ident}/file", content=b"abc", headers=headers).status_code == answer
    assert mine.put(f"{BASE}/{queued(mine)}/file", content=iter([b"abc"]), headers=headers).status_code == answer


def test_parts_of_it_are_sent_on_request(mine: TestClient) -> None:
    url = f"{BASE}/{active(mine, b'0123456789')}/file"
    some = mine.get(url, headers={"Range": "bytes=2-4"})
    assert (some.status_code, some.content, some.headers["Content-Range"]) == (206, b"234", "bytes 2-4/10")
    assert mine.get(url, headers={"Range": "bytes=-3"}).content == b"789"
    assert mine.get(url, headers={"Range": "bytes=10-"}).status_code == 416
    assert mine.head(url).headers["Content-Length"] == "10"


def test_a_deactivated_image_is_kept_back(mine: TestClient, admin: TestClient) -> None:
    ident = active(mine)
    act = f"{BASE}/{ident}/actions"
    assert [mine.post(f"{act}/deactivate").status_code for _ in range(2)] == [204, 204]
    assert status(mine, ident) == "deactivated"
    assert [api.get(f"{BASE}/{ident}/file").status_code for api in (mine, admin)] == [403, 200]
    assert [mine.post(f"{act}/reactivate").status_code for _ in range(2)] == [204, 204]
    assert mine.get(f"{BASE}/{ident}/file").status_code == 200
    assert mine.post(f"{BASE}/{queued(mine)}/actions/deactivate").status_code == 409


def test_bits_that_got_lost_are_told_as_that(mine: TestClient, service: ImageService) -> None:
    ident = active(mine)
    service.bits.delete(ident)
    assert mine.get(f"{BASE}/{ident}/file").status_code == 503
    assert mine.delete(f"{BASE}/{ident}").status_code == 204


@pytest.mark.parametrize("told", [True, False])
def test_a_client_that_leaves_in_the_middle_leaves_nothing(mine: TestClient, service: ImageService, told: bool) -> None:
    ident = queued(mine)
    replies: list[Any] = []

    async def leave() -> None:
        messages = iter(
            [{"type": "http.request", "body": b"x" * 3_000_000, "more_body": True}, {"type": "http.disconnect"}]
        )

        async def receive() -> Any:
            return next(messages)

        async def send(reply: Any) -> None:
            replies.append(reply)

        headers = [(b"x-auth-token", MEMBER_A.encode()), (b"content-type", b"application/octet-stream")]
        scope = {
            "type": "http", "method": "PUT", "scheme": "http", "path": f"{BASE}/{ident}/file", "query_string": b"",
            "headers": [*headers, (b"content-length", b"5000000")] if told else headers,
        }  # fmt: skip
        await rim(service)(scope, receive, send)

    anyio.run(leave)
    assert replies == []
    assert status(mine, ident) == "queued"
    assert service.bits.ids() == set()
    assert sent(mine, ident, b"whole").status_code == 204
