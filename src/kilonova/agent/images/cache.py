"""
The host's image cache: each image is fetched once, however many servers wait for it.

On disk, in the cache's folder, `KEY` being the image's id and the first digits of its sha512:

    KEY.bits    the image as stored, verified and inspected
    KEY.flat    the same converted to raw, when something asked for that
    KEY.json    what it is; written last, so an entry without it does not exist; its mtime is when it was last used
    KEY.lock    held (flock) while the entry is made or removed
    *.part      something being made; any found when the cache opens was left by a crash, unless its lock is held

Invariants: a name without `.part` is complete and was synced before it got that name. Whoever makes or removes an entry
holds its lock; flock excludes threads and processes alike, since each holder opens the file anew. The lock file itself is
removed only by a holder, so after locking one must see that the name still leads to the file one has locked.

An image may be any tenant's, so the folder is closed to other users of the machine; QEMU's group passes through it and reads
`bits` and `flat`, which disks are made on. What an earlier release left open is closed when the cache opens.

A disk that was made on an entry needs it as long as it lives (qcow2 overlay): `sweep` is told which are in use, and an
entry used a moment ago is too young to go, which covers the time between `fetch` and the disk's being there.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import IO

import msgspec

from kilonova.agent.failure import HostFailure
from kilonova.agent.images import durable, qemu_img
from kilonova.agent.images.inspection import Inspection, refusal
from kilonova.agent.images.port import ImageSource
from kilonova.agent.images.space import require_space
from kilonova.domain.clock import Clock
from kilonova.domain.errors import Missing
from kilonova.domain.machine import ImageRef
from kilonova.domain.report import HostFault
from kilonova.private import UNCHANGED, close_to_others, ensure_folder

SHARED = 0o640  # the mode of what several machines are made on: their user's group reads it
_SAFE_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,99}")


class Base(msgspec.Struct, frozen=True):
    """A cached image: where its bits are, what qemu is to read them as, and the size of the disk in them, in bytes."""

    path: Path
    format: str  # raw or qcow2
    virtual_size: int


class _Entry(msgspec.Struct, frozen=True):
    format: str
    virtual_size: int


def cache_key(image: ImageRef) -> str:
    """The name of an image's entry. Raises HostFailure for an id that is no safe file name."""
    if not _SAFE_ID.fullmatch(image.id):
        raise refusal(image, "its id is not a plain name")
    return f"{image.id}-{(image.sha512 or 'unhashed')[:16]}"


_decoder = msgspec.json.Decoder(_Entry)


class ImageCache:
    """The cache in one folder; see the module's text."""

    def __init__(
        self,
        folder: Path,
        source: ImageSource,
        clock: Clock,
        *,
        reserved_bytes: int = 0,
        group: int = UNCHANGED,
    ) -> None:
        self._folder = folder
        self._source = source
        self._clock = clock
        self._reserved = reserved_bytes
        self._readers = group
        ensure_folder(folder, group=group)
        close_to_others(folder.iterdir())
        for path in (*folder.glob("*.bits"), *folder.glob("*.flat")):
            os.chown(path, UNCHANGED, group)
        self._remove_leftovers()

    def fetch(self, image: ImageRef) -> Base:
        """The image's bits in their own format. Raises HostFailure."""
        key = cache_key(image)
        with self._locked(key):
            entry = self._entry(key) or self._make_entry(key, image)
            self._touch(key)
        return Base(self._path(key, "bits"), entry.format, entry.virtual_size)

    def fetch_flat(self, image: ImageRef) -> Base:
        """The image as raw bytes, converted once. Raises HostFailure."""
        base = self.fetch(image)
        if base.format == "raw":
            return base
        key = cache_key(image)
        flat = self._path(key, "flat")
        with self._locked(key):
            if not flat.exists():
                require_space(self._folder, min(base.virtual_size, 4 * base.path.stat().st_size), self._reserved)
                part = self._path(key, "flat.part")
                try:
                    qemu_img.convert_to_raw(base.path, part)
                    self._publish(part, flat)
                except qemu_img.QemuImgFailed as failed:
                    raise refusal(image, str(failed)) from failed
                finally:
                    part.unlink(missing_ok=True)
        return Base(flat, "raw", base.virtual_size)

    def sweep(self, now: datetime, keep: Collection[str], max_age: timedelta) -> list[str]:
        """Remove the entries that are not in `keep` (keys) and were last used before `max_age` ago; their keys."""
        gone = []
        for key in self.keys():
            if key in keep:
                continue
            with self._locked(key, wait=False) as held:
                # One that is held is being fetched or made flat; one that was held a moment ago is young again.
                if held and self._age(key, now) >= max_age:
                    self._discard(key)
                    gone.append(key)
        return gone

    def keys(self) -> list[str]:
        """The entries there are."""
        return sorted(info.name.removesuffix(".json") for info in self._folder.glob("*.json"))

    def parts(self) -> list[Path]:
        """Files that are being made now, or that a crash left."""
        return sorted(self._folder.glob("*.part"))

    def _make_entry(self, key: str, image: ImageRef) -> _Entry:
        part = self._path(key, "bits.part")
        try:
            require_space(self._folder, image.size, self._reserved)
            virtual_size = self._download(image, part)
            if image.disk_format == "qcow2":
                qemu_img.check_qcow2(part)
            self._publish(part, self._path(key, "bits"))
        except qemu_img.QemuImgFailed as failed:
            raise refusal(image, str(failed)) from failed
        finally:
            part.unlink(missing_ok=True)
        entry = _Entry("qcow2" if image.disk_format == "qcow2" else "raw", virtual_size)
        durable.write(self._path(key, "json"), msgspec.json.encode(entry))
        return entry

    def _download(self, image: ImageRef, part: Path) -> int:
        """Write the image's bits to `part`; the virtual size."""
        inspection = Inspection(image, self._chunks(image))
        digest = hashlib.sha512()
        size = 0
        with part.open("wb") as file:
            for chunk in inspection:
                size += len(chunk)
                if size > image.size:
                    raise refusal(image, f"it is longer than the {image.size} bytes of its record")
                digest.update(chunk)
                _write_sparsely(file, chunk)
            file.truncate(size)
        if size != image.size:
            raise refusal(image, f"it has {size} bytes and its record says {image.size}")
        if image.sha512 is not None and digest.hexdigest() != image.sha512:
            raise refusal(image, "its checksum is not the one of its record")
        return inspection.verdict(size)

    def _chunks(self, image: ImageRef) -> Iterator[bytes]:
        try:
            yield from self._source.read(image.id)
        except Missing as missing:
            raise refusal(image, "it has no content in the image service") from missing
        except OSError as broken:
            message = f"Image {image.id} could not be fetched: {broken}."
            raise HostFailure(HostFault(message=message, elsewhere=True)) from broken

    def _entry(self, key: str) -> _Entry | None:
        info = self._path(key, "json")
        if not info.exists() or not self._path(key, "bits").exists():
            return None
        return _decoder.decode(info.read_bytes())

    def _touch(self, key: str) -> None:
        now = self._clock.now().timestamp()
        os.utime(self._path(key, "json"), (now, now))

    def _age(self, key: str, now: datetime) -> timedelta:
        """How long ago an entry was used; nothing for one that has just gone."""
        try:
            return timedelta(seconds=now.timestamp() - self._path(key, "json").stat().st_mtime)
        except FileNotFoundError:
            return timedelta.min

    def _discard(self, key: str) -> None:
        """Remove an entry whose lock is held. Without its information it is none, whatever a crash here leaves."""
        for kind in ("json", "flat", "bits", "lock"):
            self._path(key, kind).unlink(missing_ok=True)

    def _publish(self, part: Path, path: Path) -> None:
        durable.publish(part, path, mode=SHARED, group=self._readers)

    def _path(self, key: str, kind: str) -> Path:
        return self._folder / f"{key}.{kind}"

    @contextmanager
    def _locked(self, key: str, *, wait: bool = True) -> Iterator[bool]:
        """Hold the entry's lock; yields False when it is held elsewhere and `wait` is off."""
        path = self._path(key, "lock")
        while True:
            with path.open("w") as lock:
                try:
                    fcntl.flock(lock, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
                except BlockingIOError:
                    yield False
                    return
                if _same_file(lock, path):
                    yield True
                    return

    def _remove_leftovers(self) -> None:
        for part in self.parts():
            with self._locked(part.name.rsplit(".", 2)[0], wait=False) as held:
                if held:
                    part.unlink(missing_ok=True)


def _same_file(lock: IO[str], path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(lock.fileno()), path.stat())
    except FileNotFoundError:
        return False


def _write_sparsely(file: IO[bytes], chunk: bytes) -> None:
    """Leave a hole where there are only zeros."""
    if chunk.count(0) == len(chunk):
        file.seek(len(chunk), os.SEEK_CUR)
    else:
        file.write(chunk)
