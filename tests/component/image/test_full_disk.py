"""Uploads and the disk: what all were promised is counted together, and a disk that is full all the same says which it is."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from kilonova.domain.errors import DiskFull
from kilonova.domain.image import ImageStatus
from kilonova.image.bits import CHUNK, FileBits
from kilonova.image.limits import ImageLimits
from kilonova.image.recovery import audit
from kilonova.image.service import ImageService
from tests.component.image.uploading import CLEAN, make, send, status, upload
from tests.smalldisk import MIB, fill, small_disk


@pytest.fixture
def small(service: ImageService, tmp_path: Path) -> Iterator[ImageService]:
    """The service on a disk of 16 MiB, of which uploads leave 2."""
    with small_disk(tmp_path / "disk", 16) as disk:
        yield replace(service, bits=FileBits(disk / "images"), limits=ImageLimits(disk_reserve=2 * MIB))


def test_uploads_under_way_share_what_is_left(small: ImageService) -> None:
    first, second, third = make(small), make(small), make(small)

    def meanwhile() -> Iterator[bytes]:
        with pytest.raises(DiskFull, match="only left what is kept"):
            send(small, second, b"x" * CHUNK, length=8 * CHUNK)  # refused before a byte of it is read
        with pytest.raises(DiskFull, match="only left what is kept"):
            send(small, second, *[b"x" * CHUNK] * 8)  # it did not say how long it is, and is stopped in time
        send(small, third, *[b"x" * CHUNK] * 2)
        yield b"x" * 8 * CHUNK

    upload(small, first, meanwhile(), 8 * CHUNK)
    assert [status(small, one) for one in (first, second, third)] == [
        ImageStatus.ACTIVE, ImageStatus.QUEUED, ImageStatus.ACTIVE,
    ]  # fmt: skip
    assert audit(small) == CLEAN
    assert small.bits.free() > 5 * MIB


def test_another_process_counts_too(small: ImageService, tmp_path: Path) -> None:
    theirs = FileBits(tmp_path / "disk" / "images")
    with theirs.part("11111111-2222-4333-8444-555555555555", "u") as part:
        part.promise(10 * MIB)
        part.write(b"x" * MIB)
        with pytest.raises(DiskFull):
            send(small, make(small), b"x" * CHUNK, length=5 * CHUNK)
    send(small, make(small), b"x" * 5 * CHUNK, length=5 * CHUNK)


def test_a_part_that_a_crash_left_was_promised_nothing(small: ImageService, tmp_path: Path) -> None:
    with (tmp_path / "disk" / "images" / "11111111-2222-4333-8444-555555555555.u.part").open("wb") as left:
        left.truncate(100 * MIB)
    send(small, make(small), b"x" * CHUNK, length=CHUNK)


def test_a_disk_that_others_fill_meanwhile_stops_the_upload(small: ImageService, tmp_path: Path) -> None:
    small = replace(small, limits=ImageLimits(disk_reserve=-(2**40)))  # nothing is refused early
    ident = make(small)

    def filled() -> Iterator[bytes]:
        yield b"x" * CHUNK
        fill(tmp_path / "disk", leave=CHUNK // 2)
        yield b"x" * CHUNK

    with pytest.raises(DiskFull, match="keeps its images on is full"):
        upload(small, ident, filled(), 2 * CHUNK)
    assert status(small, ident) == ImageStatus.QUEUED
    (tmp_path / "disk" / "filler").unlink()
    send(small, ident, b"x" * CHUNK)
    assert audit(small) == CLEAN
