"""What a crash leaves of an upload, and that it goes away without touching the living."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from kilonova.domain.errors import Unavailable
from kilonova.domain.image import ImageStatus
from kilonova.image.bits import FileBits, Part
from kilonova.image.recovery import audit, recover
from kilonova.image.service import ImageService
from tests.component.image.uploading import CLEAN, make, send, status, upload


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
        upload(service, ident, chunks)

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

    upload(service, ident, chunks())
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
