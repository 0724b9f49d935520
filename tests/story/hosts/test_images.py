"""A host far away reads the bits of images over a real socket, those it has business with and no others."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from kilonova.agent.credential import Membership
from kilonova.agent.failure import HostFailure
from kilonova.agent.images.cache import ImageCache
from kilonova.agent.images.remote import ATTEMPTS, RemoteImages
from kilonova.domain.errors import Missing
from kilonova.domain.machine import ImageRef
from kilonova.store.queries import host_access
from tests.story.hosts.conftest import BASE, BITS, Fleet, listening
from tests.world.plane import IMAGE

REF = ImageRef(id=IMAGE, disk_format="raw", size=len(BITS), sha512=hashlib.sha512(BITS).hexdigest())


@pytest.fixture
def url(fleet: Fleet) -> Iterator[str]:
    with listening(fleet.rim) as found:
        yield found


@pytest.fixture
def host(fleet: Fleet) -> str:
    """A host that a server of the image is on."""
    server = fleet.world.boot()
    fleet.world.settle()
    return str(fleet.world.server(server).host)


def membership(fleet: Fleet, url: str, host: str) -> Membership:
    return Membership(name=host, api_url=url, secret=fleet.credential_of(host), bus_url="amqp://x")


def remote(fleet: Fleet, url: str, host: str, **about: Any) -> RemoteImages:
    return RemoteImages(membership(fleet, url, host), **{"pause": lambda _s: None, **about})


class BadLine(httpx2.BaseTransport):
    """A line to the API that breaks after every `after` bytes, or answers 503, as long as told."""

    def __init__(self, *, after: int | None = None, refusals: int = 0) -> None:
        self._inner = httpx2.HTTPTransport()
        self._after, self.refusals = after, refusals
        self.ranges: list[str] = []

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        self.ranges.append(request.headers.get("range", ""))
        if self.refusals:
            self.refusals -= 1
            return httpx2.Response(503)
        answer = self._inner.handle_request(request)
        if self._after is None:
            return answer
        return httpx2.Response(answer.status_code, headers=answer.headers, stream=_Broken(answer, self._after))

    def close(self) -> None:
        self._inner.close()


class _Broken(httpx2.SyncByteStream):
    def __init__(self, answer: httpx2.Response, after: int) -> None:
        self._answer, self._after = answer, after

    def __iter__(self) -> Iterator[bytes]:
        sent = 0
        for chunk in self._answer.stream:  # type: ignore[union-attr]  # a synchronous one
            yield chunk
            sent += len(chunk)
            if sent > self._after:
                raise httpx2.ReadError("the line is down")

    def close(self) -> None:
        self._answer.close()


def test_a_host_reads_the_image_of_its_server_into_its_cache(fleet: Fleet, url: str, host: str, tmp_path: Path) -> None:
    source = remote(fleet, url, host)
    base = ImageCache(tmp_path / "cache", source, fleet.world.clock).fetch(REF)
    assert base.path.read_bytes() == BITS
    source.close()


def test_a_download_over_a_bad_line_goes_on_where_it_broke_off(
    fleet: Fleet, url: str, host: str, tmp_path: Path
) -> None:
    line = BadLine(after=3_000_000)
    source = remote(fleet, url, host, transport=line)
    base = ImageCache(tmp_path / "cache", source, fleet.world.clock).fetch(REF)
    assert base.path.read_bytes() == BITS
    assert line.ranges[0] == ""
    assert len(line.ranges) > 2
    assert all(one.startswith("bytes=") for one in line.ranges[1:])
    source.close()


def test_an_api_that_is_busy_is_asked_again_for_a_while(fleet: Fleet, url: str, host: str, tmp_path: Path) -> None:
    pauses: list[float] = []
    source = remote(fleet, url, host, transport=BadLine(refusals=ATTEMPTS - 1), pause=pauses.append)
    assert b"".join(source.read(IMAGE)) == BITS
    assert pauses == [0.5, 1.0, 2.0, 4.0, 8.0]
    source.close()
    lost = remote(fleet, url, host, transport=BadLine(refusals=10**6))
    with pytest.raises(HostFailure, match="broke off 6 times") as told:
        ImageCache(tmp_path / "cache", lost, fleet.world.clock).fetch(REF)
    assert told.value.fault.elsewhere
    lost.close()


def test_bits_that_are_not_those_of_the_record_are_refused(fleet: Fleet, url: str, host: str, tmp_path: Path) -> None:
    other = ImageRef(id=IMAGE, disk_format="raw", size=len(BITS), sha512="0" * 128)
    source = remote(fleet, url, host)
    with pytest.raises(HostFailure, match="checksum"):
        ImageCache(tmp_path / "cache", source, fleet.world.clock).fetch(other)
    source.close()


def test_a_host_reads_no_image_that_it_has_no_business_with(fleet: Fleet, url: str, host: str) -> None:
    other = next(name for name in fleet.world.names if name != host)
    source = remote(fleet, url, other)
    with pytest.raises(PermissionError):
        b"".join(source.read(IMAGE))
    (refusal,) = fleet.admin.get(f"{BASE}/refusals").json()["refusals"]
    assert (refusal["sender"], refusal["what"], refusal["about"]) == (f"host.{other}", "image", IMAGE)
    with fleet.world.db.write() as tx:
        host_access.grant_image(tx, other, IMAGE, fleet.world.clock.now())
    assert b"".join(source.read(IMAGE)) == BITS
    source.close()


def test_what_is_not_there_is_missing(fleet: Fleet, url: str, host: str) -> None:
    source = remote(fleet, url, host)
    fleet.bits.delete(IMAGE)
    with pytest.raises(Missing):
        b"".join(source.read(IMAGE))
    source.close()


def test_a_removed_host_reads_nothing(fleet: Fleet, url: str, host: str) -> None:
    source = remote(fleet, url, host)
    with fleet.world.db.write() as tx:
        host_access.revoke(tx, host, fleet.world.clock.now())
    with pytest.raises(PermissionError):
        b"".join(source.read(IMAGE))
    source.close()


@pytest.mark.parametrize(
    ("wanted", "status", "expected"),
    [
        ("bytes=0-9", 206, BITS[:10]),
        ("bytes=1000000-1000009", 206, BITS[1_000_000:1_000_010]),
        (f"bytes={len(BITS) - 3}-", 206, BITS[-3:]),
        ("bytes=-5", 206, BITS[-5:]),
        (f"bytes={len(BITS)}-", 416, None),
        ("lines=1-2", 200, BITS),
    ],
)
def test_ranges(fleet: Fleet, host: str, wanted: str, status: int, expected: bytes | None) -> None:
    secret = fleet.credential_of(host)
    answer = fleet.nobody.get(f"{BASE}/self/images/{IMAGE}", headers={"Range": wanted}, auth=(host, secret))
    assert answer.status_code == status
    assert expected is None or answer.content == expected
