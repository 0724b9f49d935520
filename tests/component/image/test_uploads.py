"""Uploads that race, break, lose their image or their process: in the end all is there, or nothing is."""

from __future__ import annotations

import fcntl
import os
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from kilonova.domain.errors import Conflict, Gone, KilonovaError, Missing, OverQuota, Rejected, TooLarge, Unavailable
from kilonova.domain.image import Image, ImageStatus
from kilonova.domain.image_format import ImageRefused
from kilonova.image import records
from kilonova.image.bits import CHUNK, FileBits, Part
from kilonova.image.catalog import EveryImage
from kilonova.image.limits import ImageLimits
from kilonova.image.records import NewImage
from kilonova.image.recovery import audit, recover
from kilonova.image.service import ImageService
from kilonova.image.upload import Incoming, upload
from kilonova.store.queries import images
from tests.fakes.auth import CALLERS, MEMBER_A, PROJECT_A
from tests.imageparts import qcow2

OWNER = CALLERS[MEMBER_A]
CLEAN: dict[str, list[str]] = {
    "image_parts": [], "image_bits_without_record": [], "image_records_without_bits": [], "image_uploads_of_nobody": [],
}  # fmt: skip
SHA512_OF_ABC = (
    "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a"
    "2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f"
)


def anything(_: Image) -> None:
    """Policy lets them."""


def make(service: ImageService, disk_format: str = "raw") -> str:
    return records.create(service, NewImage(owner=PROJECT_A, disk_format=disk_format, container_format="bare")).id


def send(service: ImageService, ident: str, *chunks: bytes, length: int | None = None) -> None:
    upload(service, OWNER, ident, Incoming(chunks, length), anything)


def status(service: ImageService, ident: str) -> str:
    return EveryImage(service.database).get(ident).status


def assert_untouched(service: ImageService, ident: str) -> None:
    assert status(service, ident) == ImageStatus.QUEUED
    assert service.bits.ids() == set()
    assert audit(service) == CLEAN
    send(service, ident, qcow2())  # and it takes what is right


def test_bits_go_in_and_come_out(service: ImageService) -> None:
    ident = make(service)
    send(service, ident, b"a", b"", b"bc", length=3)
    image = EveryImage(service.database).get(ident)
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
        upload(service, OWNER, ident, Incoming(chunks, length), anything)
    assert_untouched(service, ident)


def test_a_full_disk_is_told_as_that(service: ImageService, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(self: Part, chunk: bytes) -> None:
        raise OSError(28, "No space left on device")

    ident = make(service)
    with monkeypatch.context() as patched:
        patched.setattr(Part, "write", full)
        with pytest.raises(TooLarge, match="disk space"):
            send(service, ident, b"x")
    assert audit(service) == CLEAN
    send(service, ident, b"x")


def test_a_disk_is_not_filled_to_the_brim(service: ImageService) -> None:
    service = replace(service, limits=ImageLimits(disk_reserve=service.bits.free()))
    ident = make(service)
    for length in (CHUNK, None):
        with pytest.raises(TooLarge, match="disk space"):
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
        upload(service, OWNER, ident, Incoming(endless()), anything)
    assert drawn == 3


def test_two_uploads_at_once_share_what_is_left(service: ImageService) -> None:
    service = replace(service, limits=ImageLimits(project_size=10))
    first, second = make(service), make(service)

    def chunks() -> Iterator[bytes]:
        yield b"123456"
        send(service, second, b"123456")

    with pytest.raises(OverQuota):
        upload(service, OWNER, first, Incoming(chunks()), anything)
    assert service.bits.ids() == {second}
    assert audit(service) == CLEAN


def test_a_part_that_was_swept_as_it_began_says_so(service: ImageService, monkeypatch: pytest.MonkeyPatch) -> None:
    lock, swept = fcntl.flock, False

    def late(file: Any, how: int) -> None:
        nonlocal swept
        if not swept:
            swept = True
            service.bits.sweep()  # between the file's making and its lock
        lock(file, how)

    ident = make(service)
    with monkeypatch.context() as patched:
        patched.setattr(fcntl, "flock", late)
        with pytest.raises(Unavailable):
            send(service, ident, b"x")
    assert status(service, ident) == ImageStatus.QUEUED
    send(service, ident, b"x")


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
            upload(service, OWNER, ident, Incoming(chunks()), anything)
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
        upload(service, OWNER, ident, Incoming(chunks()), anything)
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


def killed(run: Callable[[], None]) -> None:
    """Run in a process that dies by it, as from kill -9: no `finally` runs, locks go."""
    child = os.fork()
    if child == 0:
        try:
            run()
        finally:
            os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -9


def die() -> None:
    os.kill(os.getpid(), 9)


def in_the_middle() -> Iterator[bytes]:
    yield b"x" * (2 << 20)
    die()


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
@pytest.mark.parametrize("where", ["receiving", "before the name", "after the name"])
def test_a_killed_process_leaves_a_queued_image(
    service: ImageService, where: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    ident = make(service)
    publish = Part.publish
    service.database.close()  # connections are not for two processes

    def dying(part: Part) -> None:
        if where == "after the name":
            publish(part)
        die()

    def run() -> None:
        if where != "receiving":
            monkeypatch.setattr(Part, "publish", dying)
        chunks = in_the_middle() if where == "receiving" else [b"x"]
        upload(service, OWNER, ident, Incoming(chunks), anything)

    killed(run)
    assert status(service, ident) == ImageStatus.SAVING
    assert audit(service)["image_uploads_of_nobody"] == [ident]
    for _ in range(2):
        recover(service)
        assert status(service, ident) == ImageStatus.QUEUED
        assert service.bits.ids() == set()
        assert audit(service) == CLEAN
    send(service, ident, b"again")


def test_recovery_leaves_the_living_alone(service: ImageService) -> None:
    ident, done = make(service), make(service)
    send(service, done, b"done")

    def chunks() -> Iterator[bytes]:
        yield b"x"
        recover(service)
        assert audit(service) == CLEAN
        assert status(service, ident) == ImageStatus.SAVING
        yield b"y"

    upload(service, OWNER, ident, Incoming(chunks()), anything)
    recover(service)
    assert b"".join(service.bits.read(ident)) == b"xy"
    assert b"".join(service.bits.read(done)) == b"done"


def test_bits_of_nobody_are_counted_and_go(service: ImageService, tmp_path: Path) -> None:
    ident = make(service)
    send(service, ident, b"x")
    orphan = "00000000-0000-4000-8000-000000000000"
    (tmp_path / "images" / orphan).write_bytes(b"?")
    service.bits.delete(ident)
    assert audit(service)["image_bits_without_record"] == [orphan]
    assert audit(service)["image_records_without_bits"] == [ident]
    recover(service)
    assert FileBits(tmp_path / "images").ids() == set()
