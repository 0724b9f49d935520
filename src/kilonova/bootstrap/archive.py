"""
What a backup of an embedded cloud is: one tar file, which ends with its own table of contents.

    images/ID          an image's bits
    cloud.json …       files of the data directory (`settings.BACKED_UP`), those that there are
    kilonova.db        the records
    manifest.json      release, schema, time, and the size and SHA-256 of all the others: a file without it is not whole

An archive is somebody's file, and read as such: names are these and no others, members are files and no links, and nothing is
taken from it that is not as the manifest says.
"""

from __future__ import annotations

import hashlib
import io
import re
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import IO

import msgspec

from kilonova.domain.errors import Rejected
from kilonova.settings import BACKED_UP, DATABASE_FILE

FORMAT = 1
IMAGES = "images"
_MANIFEST = "manifest.json"
_MOST_MANIFEST = 64 << 20
_CHUNK = 1 << 20
_NAME = re.compile(
    rf"{IMAGES}/[0-9a-fA-F-]{{1,36}}|" + "|".join(map(re.escape, (*BACKED_UP, DATABASE_FILE, _MANIFEST)))
)


class Member(msgspec.Struct, frozen=True):
    """A file in it: how many bytes, and their digest."""

    size: int
    sha256: str


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """The table of contents. `has_images`: whether images' bits were to be in it."""

    format: int = FORMAT
    release: str
    schema: str
    made_at: datetime
    has_images: bool
    files: dict[str, Member]

    @property
    def size(self) -> int:
        """Bytes that all of it takes."""
        return sum(member.size for member in self.files.values())


class Writer:
    """Adds files to a new archive."""

    def __init__(self, file: IO[bytes]) -> None:
        self._tar = tarfile.open(fileobj=file, mode="w")  # noqa: SIM115 - `finish` closes it
        self.files: dict[str, Member] = {}

    def add(self, name: str, path: Path) -> bool:
        """Add a file, and say whether there is one. Raises OSError."""
        try:
            source = path.open("rb")
        except FileNotFoundError:
            return False
        with source:
            source.seek(0, io.SEEK_END)
            size = source.tell()
            source.seek(0)
            hashed = _Hashed(source)
            self._tar.addfile(_info(name, size), hashed)
        self.files[name] = Member(size, hashed.digest())
        return True

    def finish(self, manifest: Manifest) -> None:
        """End it with the table of contents."""
        text = msgspec.json.encode(manifest)
        self._tar.addfile(_info(_MANIFEST, len(text)), io.BytesIO(text))
        self._tar.close()


class Reader:
    """An archive that is whole, as far as its manifest tells; what is in the files is held against that as they are taken out."""

    def __init__(self, path: Path, tar: tarfile.TarFile) -> None:
        self._path, self._tar = path, tar
        self._members = {one.name: one for one in tar.getmembers()}
        strange = [name for name, one in self._members.items() if not (one.isreg() and _NAME.fullmatch(name))]
        if strange or _MANIFEST not in self._members:
            raise _not_whole(path, f"{strange[0]!r} is in it" if strange else "its end is missing")
        self.manifest = self._read_manifest()
        if {name: one.size for name, one in self._members.items() if name != _MANIFEST} != {
            name: one.size for name, one in self.manifest.files.items()
        }:
            raise _not_whole(path, "its files are not those of its table of contents")

    def take(self, name: str, target: Path) -> None:
        """Write a file of it to `target`, its owner's alone. Raises Rejected when it is not what it was."""
        source, digest = self._tar.extractfile(self._members[name]), hashlib.sha256()
        assert source is not None  # noqa: S101 - it is a regular file
        target.touch(mode=0o600, exist_ok=False)
        with target.open("wb") as file:
            while chunk := source.read(_CHUNK):
                digest.update(chunk)
                file.write(chunk)
        if digest.hexdigest() != self.manifest.files[name].sha256:
            raise _not_whole(self._path, f"{name} is not what was written")

    def _read_manifest(self) -> Manifest:
        member = self._members[_MANIFEST]
        source = self._tar.extractfile(member) if member.size < _MOST_MANIFEST else None
        try:
            found = msgspec.json.decode(source.read() if source else b"", type=Manifest)
        except msgspec.DecodeError as broken:
            raise _not_whole(self._path, f"its table of contents cannot be read: {broken}") from broken
        if found.format > FORMAT:
            raise Rejected(
                f"{self._path} was made by release {found.release}, which writes backups in another way.",
                next_step="Install that release, or newer.",
            )
        return found


@contextmanager
def reading(path: Path) -> Iterator[Reader]:
    """The archive in a file. Raises Rejected when it is none, OSError."""
    try:
        with tarfile.open(path, "r:") as tar:
            yield Reader(path, tar)
    except (tarfile.TarError, EOFError) as broken:
        raise _not_whole(path, str(broken)) from broken


class _Hashed:
    """Hashes what is read of a file."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file, self._digest = file, hashlib.sha256()

    def read(self, size: int = -1, /) -> bytes:
        chunk = self._file.read(size)
        self._digest.update(chunk)
        return chunk

    def digest(self) -> str:
        return self._digest.hexdigest()


def _info(name: str, size: int) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.size, info.mode = size, 0o600
    return info


def _not_whole(path: Path, why: str) -> Rejected:
    return Rejected(f"{path} is no backup of a cloud, or not a whole one: {why}.", next_step="Name another backup.")
