"""
`kilonova backup`: all that makes an embedded cloud come up again, in one file, while it serves.

The images' bits go first and the records last, so that the backup is of the moment of the latter: bits never change, so those of
every image of the records are in it. An image that came meanwhile is added, and if one went the records are copied again.
Disks of servers are not in it: they are their hosts', stay where they are, and are found again.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, NamedTuple

import kilonova
from kilonova.agent.images import durable
from kilonova.bootstrap.archive import IMAGES, Manifest, Writer
from kilonova.domain.errors import Conflict, Missing, Unavailable
from kilonova.image import recovery
from kilonova.settings import BACKED_UP, DATABASE_FILE, load
from kilonova.store.copying import copy, damage
from kilonova.store.database import Database
from kilonova.store.schema import current_version

_TRIES = 3


class BackedUp(NamedTuple):
    """What was written. `lost`: images whose bits were missing in the cloud itself."""

    size: int
    images: int
    lost: list[str]


def back_up(data_dir: Path, file: Path, tell: Callable[[str], None], *, with_images: bool) -> BackedUp:
    """Write the backup. Raises Missing (no cloud), Conflict (its database is damaged), Unavailable (no room)."""
    if load(data_dir) is None or not (data_dir / DATABASE_FILE).exists():
        raise Missing(
            "Cloud", data_dir, next_step="Name its --data-dir. Of a fleet's PostgreSQL: pg_dump, docs/fleet.md"
        )
    _check_room(data_dir, file, with_images=with_images)
    with _appearing(file) as target, tempfile.TemporaryDirectory(prefix=f".{file.name}.", dir=file.parent) as folder:
        writer = Writer(target)
        records = Path(folder) / DATABASE_FILE
        if with_images:
            tell("Copying images …")
            for path in _images(data_dir):
                writer.add(f"{IMAGES}/{path.name}", path)
        tell("Copying the records …")
        look, lost = _copy_records(data_dir, records, writer, with_images=with_images)
        for name in BACKED_UP:
            writer.add(name, data_dir / name)
        writer.add(DATABASE_FILE, records)
        now = datetime.now(UTC)
        writer.finish(
            Manifest(
                release=kilonova.__version__,
                schema=look.schema,
                made_at=now,
                has_images=with_images,
                files=writer.files,
            )
        )
    images = sum(name.startswith(f"{IMAGES}/") for name in writer.files)
    return BackedUp(file.stat().st_size, images, lost)


class Look(NamedTuple):
    """What records say of themselves: their schema ("" without one), and which images have bits."""

    schema: str
    images: set[str]


def look_into(records: Path) -> Look:
    """Look into a database that nobody uses."""
    database = Database(f"sqlite:///{records}")
    try:
        schema = current_version(database)
        return Look(schema or "", recovery.with_bits(database) if schema else set())
    finally:
        database.close()


def _copy_records(data_dir: Path, records: Path, writer: Writer, *, with_images: bool) -> tuple[Look, list[str]]:
    """Copy the database, and with it the images that came meanwhile; ids of those whose bits cannot be had."""
    for _ in range(_TRIES):
        try:
            copy(data_dir / DATABASE_FILE, records)
        except sqlite3.Error as broken:
            raise Unavailable(
                f"The records of {data_dir} cannot be copied: {broken}", next_step="Try again."
            ) from broken
        if why := damage(records):
            raise Conflict(
                f"The records of {data_dir} are damaged: {why}",
                next_step="Keep the data directory as it is, and restore an earlier backup.",
            )
        look = look_into(records)
        lost = [one for one in sorted(look.images) if not _has(writer, data_dir, one)] if with_images else []
        if not lost:
            break
    return look, lost


def _has(writer: Writer, data_dir: Path, image_id: str) -> bool:
    name = f"{IMAGES}/{image_id}"
    return name in writer.files or writer.add(name, data_dir / name)


def _images(data_dir: Path) -> list[Path]:
    folder = data_dir / IMAGES
    return sorted(path for path in folder.iterdir() if path.suffix != ".part") if folder.is_dir() else []


def _check_room(data_dir: Path, file: Path, *, with_images: bool) -> None:
    """The records are there twice, before they are in the archive."""
    needed = 2 * sum(path.stat().st_size for path in data_dir.glob(f"{DATABASE_FILE}*"))
    needed += sum(path.stat().st_size for path in _images(data_dir)) if with_images else 0
    free = shutil.disk_usage(file.parent).free
    if needed > free:
        raise Unavailable(
            f"The backup needs some {needed >> 20} MiB, and there are {free >> 20} MiB free in {file.parent}.",
            next_step="Name a file on another disk, or leave the images out: --without-images",
        )


@contextmanager
def _appearing(file: Path) -> Iterator[IO[bytes]]:
    """A file that is there once it is whole and on the disk, its owner's alone; nothing of it is left otherwise."""
    descriptor, name = tempfile.mkstemp(prefix=f".{file.name}.", suffix=".part", dir=file.parent)  # of mode 0600
    part = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as made:
            yield made
        durable.publish(part, file, mode=0o600)
    finally:
        part.unlink(missing_ok=True)
