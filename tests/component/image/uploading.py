"""Uploads without HTTP, for the tests of what becomes of them."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress

from kilonova.domain.image import Image
from kilonova.image import records
from kilonova.image.catalog import ImageCatalog
from kilonova.image.records import NewImage
from kilonova.image.service import ImageService
from kilonova.image.upload import begin
from tests.fakes.auth import CALLERS, MEMBER_A, PROJECT_A

OWNER = CALLERS[MEMBER_A]
CLEAN: dict[str, list[str]] = {
    "image_parts": [], "image_bits_without_record": [], "image_records_without_bits": [], "image_uploads_of_nobody": [],
}  # fmt: skip


def anything(_: Image) -> None:
    """Policy lets them."""


def make(service: ImageService, disk_format: str = "raw") -> str:
    return records.create(service, NewImage(owner=PROJECT_A, disk_format=disk_format, container_format="bare")).id


def send(service: ImageService, ident: str, *chunks: bytes, length: int | None = None) -> None:
    upload(service, ident, chunks, length)


def upload(service: ImageService, ident: str, chunks: Iterable[bytes], length: int | None = None) -> None:
    """What the rim does: hand on each chunk, and end it whatever happens."""
    steps = begin(service, OWNER, ident, length, anything)
    try:
        next(steps)
        for chunk in filter(None, chunks):
            steps.send(chunk)
        with suppress(StopIteration):
            steps.send(b"")
    finally:
        steps.close()


def status(service: ImageService, ident: str) -> str:
    return ImageCatalog(service.database).get(OWNER, ident).status
