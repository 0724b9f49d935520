"""Uploads that never end and downloads that nobody takes, over real sockets: they cost those who make them, and nobody else."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest

from tests.story.hostile.attackers import Attacked, attacked, get, head, one, rest, rim_of, status
from tests.story.hostile.world import Person, World
from tests.waiting import wait_until

BIG = bytes(24 << 20)
MANY = 24  # more than there are threads for streams


@pytest.fixture
def patient(cloud: World) -> Iterator[Attacked]:
    """Takes more transfers than it has threads, and waits for them for a while."""
    rim = rim_of(cloud.cloud, project_uploads=MANY, project_downloads=MANY, streams=4)
    with attacked(rim, rate_window_s=300.0) as made:
        yield made


@pytest.fixture
def strict(cloud: World) -> Iterator[Attacked]:
    """Two of each a project, and no patience."""
    with attacked(rim_of(cloud.cloud, project_uploads=2, project_downloads=2), rate_window_s=0.8, linger_s=0.5) as made:
        yield made


def begin_upload(at: Attacked, person: Person, ident: str, size: int = 1_000_000) -> socket.socket:
    """An upload that says three bytes of many."""
    asked = head("PUT", f"/image/v2/images/{ident}/file", X_Auth_Token=person.token,
                 Content_Type="application/octet-stream", Content_Length=str(size))  # fmt: skip
    return at.connect(asked + b"abc")


def uploaded(at: Attacked, person: Person, content: bytes = b"abc") -> int:
    """The status of an upload that comes whole."""
    client = begin_upload(at, person, person.image(None), len(content))
    client.sendall(content[3:])
    return status(one(client))


def downloaded(at: Attacked, person: Person, ident: str) -> bytes:
    return at.ask(get(f"/image/v2/images/{ident}/file", X_Auth_Token=person.token))


def image_status(person: Person, ident: str) -> str:
    return str(person.ok("GET", f"image /images/{ident}")["status"])


def saving(person: Person, idents: list[str]) -> bool:
    return all(image_status(person, ident) == "saving" for ident in idents)


def test_silent_uploads_stop_nobody_else(cloud: World, patient: Attacked) -> None:
    idents = [cloud.a.image(None) for _ in range(MANY)]
    clients = [begin_upload(patient, cloud.a, ident) for ident in idents]
    wait_until(lambda: saving(cloud.a, idents), "all of them are being received")
    assert uploaded(patient, cloud.b) == 204
    assert downloaded(patient, cloud.b, cloud.b.image(b"whole")).endswith(b"whole")
    for path in ("/metrics", "/kilonova/v1/health"):
        assert status(patient.ask(get(path))) == 200
    for client in clients:
        client.close()
    wait_until(lambda: all(image_status(cloud.a, ident) == "queued" for ident in idents), "they are given up")
    assert cloud.orphans() == {}


def test_downloads_that_nobody_takes_stop_nobody_else(cloud: World, patient: Attacked) -> None:
    image = cloud.a.image(BIG)
    for _ in range(MANY):
        one(patient.connect(get(f"/image/v2/images/{image}/file", X_Auth_Token=cloud.a.token)))
    assert downloaded(patient, cloud.b, cloud.b.image(b"whole")).endswith(b"whole")
    assert uploaded(patient, cloud.b) == 204
    assert status(patient.ask(get("/metrics"))) == 200


def test_a_silent_upload_ends_and_its_image_waits_again(cloud: World, strict: Attacked) -> None:
    ident = cloud.a.image(None)
    assert status(rest(begin_upload(strict, cloud.a, ident))) == 408
    wait_until(lambda: image_status(cloud.a, ident) == "queued", "it is given up")
    assert uploaded(strict, cloud.a) == 204
    assert cloud.orphans() == {}


def test_a_project_has_so_many_uploads_at_once(cloud: World) -> None:
    with attacked(rim_of(cloud.cloud, project_uploads=2), rate_window_s=300.0) as at:
        idents = [cloud.a.image(None) for _ in range(2)]
        first, _ = [begin_upload(at, cloud.a, ident) for ident in idents]
        wait_until(lambda: saving(cloud.a, idents), "both are being received")
        told = rest(begin_upload(at, cloud.a, cloud.a.image(None)))
        assert status(told) == 429
        assert b"retry-after: 10" in told.lower()
        assert f"2 uploads of project {cloud.a.project_id}".encode() in told
        assert uploaded(at, cloud.b) == 204
        first.close()
        wait_until(lambda: image_status(cloud.a, idents[0]) == "queued", "one is given up")
        assert uploaded(at, cloud.a) == 204


def test_uploads_in_all_have_a_number_too(cloud: World) -> None:
    with attacked(rim_of(cloud.cloud, uploads=1), rate_window_s=300.0) as at:
        ident = cloud.a.image(None)
        begin_upload(at, cloud.a, ident)
        wait_until(lambda: saving(cloud.a, [ident]), "it is being received")
        told = rest(begin_upload(at, cloud.b, cloud.b.image(None)))
        assert status(told) == 503
        assert b"retry-after: 10" in told.lower()


def test_a_project_has_so_many_downloads_until_slow_ones_are_cut_off(cloud: World, strict: Attacked) -> None:
    big, small = cloud.a.image(BIG), cloud.a.image(b"small")
    for _ in range(2):
        assert status(one(strict.connect(get(f"/image/v2/images/{big}/file", X_Auth_Token=cloud.a.token)))) == 200
    assert status(downloaded(strict, cloud.a, small)) == 429
    assert downloaded(strict, cloud.b, cloud.b.image(b"whole")).endswith(b"whole")
    wait_until(lambda: status(downloaded(strict, cloud.a, small)) == 200, "nobody takes them, and they are cut off")


@pytest.mark.parametrize("content", [BIG, b"x"])
def test_who_may_not_upload_hears_it_while_still_sending(cloud: World, strict: Attacked, content: bytes) -> None:
    client = begin_upload(strict, cloud.b, cloud.a.image(None), len(content) + 3)
    client.sendall(content)
    told = rest(client)
    assert status(told) == 404
    assert b"connection: close" in told.lower()
