"""
Uploads: the only way bits come in.

    queued ──begin──▶ saving(upload) ──end──▶ active
       ▲                  │
       └──── requeue ─────┘   the upload broke off, was refused, or its process died

Invariants
- A record is `saving` exactly while one upload has it, and says which. Of two uploads at once the first takes it, the other gets
  409. An upload that has lost the record (deleted meanwhile) finds that out in `end` and leaves nothing.
- Bits bear the image's name only between `end` and the image's deletion. `end` gives them the name inside the transaction that
  makes the record active, with the record locked: whoever comes second sees the first's work, whole. Should the commit fail, the
  bits go again before the record is queued; should the process die there, `recovery` does that.
- The part is there and locked before the record is taken, so `recovery` never sees a living upload without one.
- Nothing reads the bits, let alone parses them, before the inspection has passed.

Memory: one chunk of `bits.CHUNK` bytes and what the inspectors keep of the headers, whatever the image's size. The bits are
handed in chunk by chunk, so that an upload takes a thread only while there is something to do.
"""

from __future__ import annotations

import errno
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from typing import NamedTuple

from kilonova.domain.context import RequestContext
from kilonova.domain.errors import Conflict, DiskFull, Gone, OverQuota, Rejected, TooLarge
from kilonova.domain.image import Image, ImageStatus
from kilonova.domain.image_format import ImageRefused, Inspection
from kilonova.image import qcow2
from kilonova.image.bits import Part
from kilonova.image.limits import GIB
from kilonova.image.service import ImageService
from kilonova.store.database import Tx
from kilonova.store.queries import images
from kilonova.store.queries.quotas import hold

Allow = Callable[[Image], None]
"""Raises Denied unless the caller may do it to this image."""


Upload = Generator[None, bytes | None, None]
"""An upload under way: it is sent chunks, and b"" when there are no more. Closed before that, it undoes what it did."""


def begin(service: ImageService, ctx: RequestContext, image_id: str, length: int | None, allow: Allow) -> Upload:
    """
    Receive an image's bits. `length` is how many bytes the client said there are, None when it did not.

    Raises Missing. What is given raises, as it is begun, Conflict when the image is not queued, and then Rejected for bits that
    are not what they should be or not all there, TooLarge, DiskFull, OverQuota, Gone when the image was deleted meanwhile. After
    any of these, nothing is left behind.
    """
    with service.database.read() as tx:
        image = images.get(tx, ctx, image_id)
    allow(image)
    return _receive(service, image, length)


def _receive(service: ImageService, image: Image, length: int | None) -> Upload:
    ident = service.ids.uuid()
    with service.bits.part(image.id, ident) as part:
        image, room = _begin(service, image, part, ident, length or 0)
        try:
            arriving = _Arriving()
            inspection = Inspection(image.disk_format or "", arriving)
            passing = iter(inspection)
            while chunk := (yield):
                arriving.chunk = chunk
                _write(passing, room, part)
            _write(passing, room, part)  # there is no more: the inspection comes to its end
            _sync(part, length)
            virtual_size = _judge(service, image, inspection, part)
            _end(service, image, ident, part, virtual_size)
        except BaseException:
            part.discard()
            with service.database.write() as tx:
                images.requeue(tx, image.id, ident, service.clock.now())
            raise


class _Arriving:
    """The chunks, for who draws them: the one that was just put here, else their end."""

    chunk = b""

    def __iter__(self) -> Iterator[bytes]:
        while self.chunk:
            chunk, self.chunk = self.chunk, b""
            yield chunk


class _Room(NamedTuple):
    """How many bytes may come, and why no more. `left` is what the disk has for images that is not promised to any upload."""

    image: int
    left: Callable[[], int]
    project: int
    used: int

    def check(self, part: Part, size: int) -> None:
        """Promise the part so many bytes. Raises TooLarge, OverQuota or DiskFull unless they fit."""
        if size > self.image:
            raise TooLarge(f"An image may have at most {self.image} bytes ({self.image / GIB:.3g} GiB).")
        self.check_project(size)
        part.promise(size)
        if self.left() < 0:
            raise DiskFull("images", kept_back=True)

    def check_project(self, size: int) -> None:
        """As `check`, for bits that are on the disk already: uploads at once share what the project has left."""
        if self.used + size > self.project:
            raise OverQuota("image bytes", requested=size, used=self.used, limit=self.project)


def _room(service: ImageService, tx: Tx, image: Image) -> _Room:
    limits, used = service.limits, images.use(tx, image.owner).size
    return _Room(
        image=limits.image_size,
        left=lambda: service.bits.free() - limits.disk_reserve,
        project=limits.project_size,
        used=used,
    )


def _begin(service: ImageService, image: Image, part: Part, ident: str, length: int) -> tuple[Image, _Room]:
    with service.database.write() as tx:
        image = images.get_any(tx, image.id, lock=True)
        if image.disk_format is None or image.container_format is None:
            raise Rejected("Properties disk_format, container_format must be set prior to saving data.")
        room = _room(service, tx, image)
        room.check(part, length)
        if not images.begin_upload(tx, image.id, ident, service.clock.now()):
            raise Conflict(
                f"Image status transition from {image.status} to saving is not allowed: only a queued image takes data."
            )
    return image, room


def _write(passing: Iterator[bytes], room: _Room, part: Part) -> None:
    """Write to the part what passes the inspection of what has arrived."""
    chunk = next(passing, b"")
    room.check(part, part.size + len(chunk))
    with _room_on_disk():
        part.write(chunk)


def _sync(part: Part, length: int | None) -> None:
    """Have all of it on the disk. Raises ImageRefused when that is not what was announced."""
    with _room_on_disk():
        part.sync()
    if length is not None and part.size != length:
        raise ImageRefused(f"{length} bytes were announced and {part.size} came")


@contextmanager
def _room_on_disk() -> Iterator[None]:
    try:
        yield
    except OSError as problem:
        if problem.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            raise
        raise DiskFull("images") from problem


def _judge(service: ImageService, image: Image, inspection: Inspection, part: Part) -> int:
    """The virtual size in bytes."""
    if part.size == 0:
        raise ImageRefused("it is empty")
    virtual_size = inspection.verdict(part.size)
    if virtual_size > service.limits.virtual_size:
        raise ImageRefused(
            f"its virtual size of {virtual_size} bytes is over the limit of {service.limits.virtual_size} bytes"
        )
    if image.disk_format == "qcow2":
        qcow2.check(part.path, service.limits)
    return virtual_size


def _end(service: ImageService, image: Image, ident: str, part: Part, virtual_size: int) -> None:
    found = {"size": part.size, "virtual_size": virtual_size, "checksum": part.md5, "sha512": part.sha512}
    with service.database.write() as tx:
        if not images.is_uploading(tx, image.id, ident):
            raise Gone(f"Image {image.id} could not be found after upload. It may have been deleted during the upload.")
        hold(tx, image.owner or "", "image bytes")
        _room(service, tx, image).check_project(part.size)
        part.publish()
        images.end_upload(tx, image.id, {**found, "updated_at": service.clock.now()})


def is_readable(image: Image) -> bool:
    """Whether the image has bits to give."""
    return image.status in (ImageStatus.ACTIVE, ImageStatus.DEACTIVATED)
