"""Uploads that race, break, lose their image or their process: in the end all is there, or nothing is."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from kilonova.domain.errors import Conflict, DiskFull, Gone, KilonovaError, Missing, OverQuota, Rejected, TooLarge
from kilonova.domain.image import ImageStatus
from kilonova.domain.image_format import ImageRefused
from kilonova.image import records
from kilonova.image.bits import CHUNK, Part
from kilonova.image.catalog import ImageCatalog
from kilonova.image.limits import ImageLimits
from kilonova.image.records import NewImage
from kilonova.image.recovery import audit
from kilonova.image.service import ImageService
from kilonova.store.queries import images
from tests.component.image.uploading import CLEAN, OWNER, anything, make, send, status, upload
from tests.fakes.auth import PROJECT_A
from tests.imageparts import qcow2

SHA512_OF_ABC = (
    "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a"
    "2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f"
)


def assert_untouched(service: ImageService, ident: str) -> None:
    assert status(service, ident) == ImageStatus.QUEUED
    assert service.bits.ids() == set()
    assert audit(service) == CLEAN
    send(service, ident, qcow2())  # and it takes what is right


def test_bits_go_in_and_come_out(service: ImageService) -> None:
    ident = make(service)
    send(service, ident, b"a", b"", b"bc", length=3)
    image = ImageCatalog(service.database).get(OWNER, ident)
    assert (image.status, image.size, image.virtual_size) == (ImageStatus.ACTIVE, 3, 3)
    assert (image.checksum, image.sha512) == ("900150983cd24fb0d6963f7d28e17f72", SHA512_OF_ABC)
    assert b"".join(service.bits.read(ident)) == b"abc"
    assert b"".join(service.bits.read(ident, 1, 1)) == b"b"
    assert audit(service) == CLEAN
    records.delete(service, OWNER, ident, anything)
    assert service.bits.ids() == set()
    with pytest.raises(Missing):
        next(service.bits.read(ident))


@pytest.mark.parametrize("ident", ["../x", "a/b", ".", "", "x" * 40, "%2e"])
def test_an_id_never_becomes_a_path(service: ImageService, ident: str) -> None:
    with pytest.raises(Missing):
        next(service.bits.read(ident))


class BrokenOff:
    """What the rim gives when the client goes away."""

    def __iter__(self) -> Iterator[bytes]:
        yield qcow2()
        raise Rejected("The upload broke off before its end.")


@pytest.mark.parametrize(
    ("chunks", "length", "error"),
    [
        ([], None, ImageRefused),
        ([b"only raw"], None, ImageRefused),
        ([qcow2(backing=104)], None, ImageRefused),
        ([qcow2(crypt=1)], None, ImageRefused),
        ([qcow2()[:2000]], None, ImageRefused),
        ([qcow2()], 50_000, ImageRefused),
        ([qcow2()[:2000]], len(qcow2()), ImageRefused),
        ([qcow2(virtual=1 << 20, l1=[0] * 32)], None, ImageRefused),
        ([qcow2()] * 40, None, TooLarge),
        ([], 10**9, TooLarge),
        (BrokenOff(), None, Rejected),
    ],
)
def test_what_is_refused_leaves_nothing(
    service: ImageService, chunks: Any, length: int | None, error: type[KilonovaError]
) -> None:
    service = replace(service, limits=ImageLimits(image_size=100_000, virtual_size=500_000))
    ident = make(service, "qcow2")
    with pytest.raises(error):
        upload(service, ident, chunks, length)
    assert_untouched(service, ident)


def test_a_full_disk_is_told_as_that(service: ImageService, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(self: Part, chunk: bytes) -> None:
        raise OSError(28, "No space left on device")

    ident = make(service)
    with monkeypatch.context() as patched:
        patched.setattr(Part, "write", full)
        with pytest.raises(DiskFull, match="keeps its images on"):
            send(service, ident, b"x")
    assert audit(service) == CLEAN
    send(service, ident, b"x")


def test_a_disk_is_not_filled_to_the_brim(service: ImageService) -> None:
    service = replace(service, limits=ImageLimits(disk_reserve=1 << 60))
    ident = make(service)
    for length in (CHUNK, None):
        with pytest.raises(DiskFull, match="keeps its images on"):
            send(service, ident, b"x" * CHUNK, length=length)
    assert status(service, ident) == ImageStatus.QUEUED


def test_bytes_over_the_share_are_not_even_received(service: ImageService) -> None:
    service = replace(service, limits=ImageLimits(project_size=2 * CHUNK))
    ident, drawn = make(service), 0

    def endless() -> Iterator[bytes]:
        nonlocal drawn
        while True:
            drawn += 1
            yield b"x" * CHUNK

    with pytest.raises(OverQuota):
        upload(service, ident, endless())
    assert drawn == 3


def test_two_uploads_at_once_share_what_is_left(service: ImageService) -> None:
    service = replace(service, limits=ImageLimits(project_size=10))
    first, second = make(service), make(service)

    def chunks() -> Iterator[bytes]:
        yield b"123456"
        send(service, second, b"123456")

    with pytest.raises(OverQuota):
        upload(service, first, chunks())
    assert service.bits.ids() == {second}
    assert audit(service) == CLEAN


def test_a_project_has_so_many_bytes(service: ImageService) -> None:
    service = replace(service, limits=ImageLimits(project_size=10))
    send(service, make(service), b"1234567")
    second = make(service)
    for length in (4, None):
        with pytest.raises(OverQuota):
            send(service, second, b"1234", length=length)
    assert status(service, second) == ImageStatus.QUEUED
    send(service, second, b"123")
    assert len(service.bits.ids()) == 2


def test_formats_come_first(service: ImageService) -> None:
    ident = records.create(service, NewImage(owner=PROJECT_A)).id
    with pytest.raises(Rejected, match="disk_format"):
        send(service, ident, b"x")
    assert audit(service) == CLEAN


def test_bits_are_given_once(service: ImageService) -> None:
    ident = make(service)
    send(service, ident, b"first")
    with pytest.raises(Conflict):
        send(service, ident, b"other")
    assert b"".join(service.bits.read(ident)) == b"first"
    assert audit(service) == CLEAN


def test_of_two_uploads_at_once_one_wins(service: ImageService) -> None:
    ident = make(service)
    outcomes: list[str] = []
    both = threading.Barrier(2, timeout=20)

    def one(letter: bytes) -> None:
        def chunks() -> Iterator[bytes]:
            yield letter * 1000
            both.wait()  # the loser comes here only to say that it lost
            yield letter

        try:
            upload(service, ident, chunks())
            outcomes.append("won")
        except Conflict:
            outcomes.append("lost")
            both.wait()

    threads = [threading.Thread(target=one, args=(letter,)) for letter in (b"a", b"b")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert sorted(outcomes) == ["lost", "won"]
    assert b"".join(service.bits.read(ident)) in (b"a" * 1001, b"b" * 1001)
    assert audit(service) == CLEAN


def test_an_image_deleted_meanwhile_takes_nothing(service: ImageService) -> None:
    ident = make(service)

    def chunks() -> Iterator[bytes]:
        yield b"x"
        records.delete(service, OWNER, ident, anything)

    with pytest.raises(Gone):
        upload(service, ident, chunks())
    assert service.bits.ids() == set()
    assert audit(service) == CLEAN


def test_a_commit_that_fails_takes_the_name_back(service: ImageService, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise ConnectionError("the database went away")

    ident = make(service)
    with monkeypatch.context() as patched:
        patched.setattr(images, "end_upload", fail)
        with pytest.raises(ConnectionError):
            send(service, ident, b"x")
    assert service.bits.ids() == set()
    assert status(service, ident) == ImageStatus.QUEUED
    assert audit(service) == CLEAN
