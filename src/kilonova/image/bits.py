"""
The bits of images, as files in one folder.

    ID                    an image's bits, whole and synced; read-only
    ID.UPLOAD.part        an upload under way, locked (flock) by whoever receives it

Invariants: a name without `.part` was complete and synced before it got that name. A part whose lock can be had belongs to
nobody: its process is dead. So a part that lives is told from one that a crash left without any record of processes, and
several processes can share the folder.

Which bits belong to which record is the database's to say (`upload`, `recovery`): this module only keeps them.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import IO

from kilonova.domain.errors import Missing, Unavailable

CHUNK = 1024 * 1024
_BLOCK = 512  # bytes that stat counts in
_SAFE_ID = re.compile(r"[0-9a-fA-F-]{1,36}")


class Part:
    """An upload under way: write to it, then `publish`. Its size in bytes and its digests grow as it is written."""

    def __init__(self, path: Path, final: Path, file: IO[bytes]) -> None:
        self.path, self._final, self._file = path, final, file
        self.size = 0
        self._published, self._promised = False, 0
        self._md5, self._sha512 = hashlib.md5(usedforsecurity=False), hashlib.sha512()

    def promise(self, size: int) -> None:
        """
        Say that it will have this size: `FileBits.free` counts what of it is still to come, whichever process asks.

        The file is given the size at once, without taking the room: what it has not taken is what is to come.
        """
        if size > self._promised:
            self._file.truncate(size)
            self._promised = size

    def write(self, chunk: bytes) -> None:
        """Append. Raises OSError, for example when the disk is full."""
        left = memoryview(chunk)
        while left:  # where the disk ends inside of a chunk, a write takes what fits, and the next one fails
            left = left[self._file.write(left) :]
        self._md5.update(chunk)
        self._sha512.update(chunk)
        self.size += len(chunk)

    @property
    def md5(self) -> str:
        """In hexadecimal digits."""
        return self._md5.hexdigest()

    @property
    def sha512(self) -> str:
        """In hexadecimal digits."""
        return self._sha512.hexdigest()

    def sync(self) -> None:
        """Have all of it on the disk."""
        self._file.flush()
        os.fsync(self._file.fileno())

    def publish(self) -> None:
        """Give it its name, durably; to be called once it is synced."""
        self.path.chmod(0o440)
        self.path.rename(self._final)
        self._published = True
        _sync_folder(self._final.parent)

    def discard(self) -> None:
        """Undo everything, `publish` included; bits that others published stay."""
        self.path.unlink(missing_ok=True)
        if self._published:
            self._final.unlink(missing_ok=True)


class FileBits:
    """The store in one folder; see the module's text. Fills `agent.images.port.ImageSource`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True, mode=0o750)

    @contextmanager
    def part(self, image_id: str, upload: str) -> Iterator[Part]:
        """A new part, which is gone in the end unless it was published."""
        final = self._path(image_id)
        path = final.with_name(f"{final.name}.{upload}.part")
        with path.open("xb", buffering=0) as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            if os.fstat(file.fileno()).st_nlink == 0:
                raise Unavailable("The upload was taken for a dead one just as it began.", next_step="Send it again.")
            try:
                yield Part(path, final, file)
            finally:
                path.unlink(missing_ok=True)

    def read(self, image_id: str, start: int = 0, length: int | None = None) -> Iterator[bytes]:
        """The bits, or `length` of them from `start` on, in chunks. Raises Missing at the first chunk when there are none."""
        try:
            file = self._path(image_id).open("rb", buffering=0)
        except FileNotFoundError:
            raise Missing("Image data of", image_id) from None
        with file:
            file.seek(start)
            left = os.fstat(file.fileno()).st_size - start if length is None else length
            while left > 0 and (chunk := file.read(min(CHUNK, left))):
                left -= len(chunk)
                yield chunk

    def has(self, image_id: str) -> bool:
        """Whether an image's bits are there."""
        return self._path(image_id).exists()

    def delete(self, image_id: str) -> None:
        """Remove an image's bits, if there are any. Who is reading them reads on."""
        self._path(image_id).unlink(missing_ok=True)

    def ids(self) -> set[str]:
        """The images that have bits."""
        return {path.name for path in self._folder.iterdir() if path.suffix != ".part"}

    def parts(self) -> list[str]:
        """The names of parts that nobody is writing to: a crash left them."""
        return sorted(path.name for path in self._folder.glob("*.part") if _abandoned(path, lambda: None))

    def sweep(self) -> None:
        """Remove them."""
        for path in self._folder.glob("*.part"):
            _abandoned(path, partial(path.unlink, missing_ok=True))

    def is_receiving(self, image_id: str, upload: str) -> bool:
        """Whether somebody is writing this upload's part."""
        path = self._path(image_id)
        part = path.with_name(f"{path.name}.{upload}.part")
        return part.exists() and not _abandoned(part, lambda: None)

    def free(self) -> int:
        """Bytes that the disk has room for beyond what uploads under way were promised; below 0 when that is too much."""
        return shutil.disk_usage(self._folder).free - self._promised()

    def _promised(self) -> int:
        """Bytes that are still to come of all uploads under way, in any process."""
        to_come = 0
        for path in self._folder.glob("*.part"):
            with suppress(FileNotFoundError):
                found = path.stat()
                missing = found.st_size - found.st_blocks * _BLOCK
                if missing > 0 and not _abandoned(path, lambda: None):
                    to_come += missing
        return to_come

    def _path(self, image_id: str) -> Path:
        """Ids are checked before they become names in the file system."""
        if not _SAFE_ID.fullmatch(image_id):
            raise Missing("Image", image_id[:64])
        return self._folder / image_id


def _abandoned(part: Path, then: Callable[[], None]) -> bool:
    """Whether nobody is writing to a part; if so, do `then` while nobody can begin to."""
    try:
        with part.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            then()
            return True
    except (BlockingIOError, FileNotFoundError):
        return False


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
