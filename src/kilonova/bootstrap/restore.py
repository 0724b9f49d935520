"""
`kilonova restore`: a cloud as a backup has it, in a data directory whose cloud is down.

Everything is unpacked, held against its digests and looked through in a folder beside (`restore.part`), and only then put in the
place of what is there, which goes to a folder of its own (`replaced-TIME`) and stays. A restore that is killed before that has
changed nothing. One that is killed in the middle of it leaves no cloud at all, rather than half of one: cloud.json, without which
nothing starts, goes first and comes last; the next restore goes on from there, and what was replaced is still aside.

The hosts' own (`hosts/`: disks, what runs) is not touched. The records begin a new epoch, so that hosts which have seen later
ones follow them (`store/epoch.py`).
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

import msgspec

from kilonova.agent.images import durable
from kilonova.bootstrap.archive import IMAGES, Manifest, Reader, reading
from kilonova.bootstrap.backup import look_into
from kilonova.domain.clock import Ids, SystemClock
from kilonova.domain.errors import Conflict, Rejected, Unavailable
from kilonova.settings import BACKED_UP, DATABASE_FILE, SETTINGS_FILE, load, save
from kilonova.store.copying import damage
from kilonova.store.database import Database
from kilonova.store.epoch import Epoch
from kilonova.store.schema import HEAD, ensure_schema

_STAGE = "restore.part"
_WAL = (f"{DATABASE_FILE}-wal", f"{DATABASE_FILE}-shm")
_RESTORED = (*BACKED_UP, DATABASE_FILE, IMAGES)
# cloud.json is the first to go and the last to come.
_GOING = (SETTINGS_FILE, *(name for name in (*_RESTORED, *_WAL) if name != SETTINGS_FILE))
_COMING = tuple(reversed(_GOING))
_TELLING = {SETTINGS_FILE, DATABASE_FILE, _STAGE, "hosts", "kilonova.pid"}  # of a cloud, or what is left of one


class Restored(NamedTuple):
    """What was done. `aside`: where that is which was there before; `lost`: images that have no bits."""

    made_at: datetime
    release: str
    aside: Path | None
    lost: list[str]


def what_is_there(data_dir: Path) -> list[str]:
    """What a restore would replace. Raises Conflict for a folder that is not a cloud's."""
    there = {path.name for path in data_dir.iterdir()} if data_dir.is_dir() else set()
    if there and not there & _TELLING:
        raise Conflict(
            f"{data_dir} holds other things, {min(there)} for one; a cloud's data directory is its own.",
            next_step="Name a --data-dir that is a cloud's, or new.",
        )
    return [name for name in _GOING if name in there]


def restore(data_dir: Path, file: Path, tell: Callable[[str], None]) -> Restored:
    """
    Put the cloud of a backup into its place. Whoever calls holds the data directory's lock.

    Raises Rejected (not a whole backup), Conflict (of a newer release, or its records are damaged), Unavailable (no room).
    """
    stage = data_dir / _STAGE
    shutil.rmtree(stage, ignore_errors=True)
    stage.mkdir(mode=0o700)
    try:
        with reading(file) as archive:
            manifest = archive.manifest
            _check(manifest, file, data_dir)
            tell("Unpacking and comparing …")
            _unpack(archive, stage)
        tell("Looking through the records …")
        images = _prepare_records(stage / DATABASE_FILE, file, manifest)
        lost = _prepare_images(stage / IMAGES, data_dir / IMAGES, images)
        _prepare_settings(stage, data_dir, file)
        tell("Putting all in its place …")
        aside = _swap(stage, data_dir)
    finally:
        shutil.rmtree(stage, ignore_errors=True)
    return Restored(manifest.made_at, manifest.release, aside, lost)


def _check(manifest: Manifest, file: Path, data_dir: Path) -> None:
    if not {SETTINGS_FILE, DATABASE_FILE} <= manifest.files.keys():
        raise Rejected(
            f"{file} is no whole backup: it has no records or no settings.", next_step="Name another backup."
        )
    if not manifest.schema.isdigit() or int(manifest.schema) > int(HEAD):
        raise Conflict(
            f"{file} was made by release {manifest.release}, whose schema ({manifest.schema or 'none'}) this one"
            f" ({HEAD}) does not know.",
            next_step="Install that release, or newer.",
        )
    if (data_dir / IMAGES).is_symlink() or (data_dir / IMAGES).is_mount():
        raise Conflict(
            f"{data_dir / IMAGES} is on another disk, and cannot be put aside in one step.",
            next_step="Take the link or mount away, restore, and move the restored images there.",
        )
    free = shutil.disk_usage(data_dir).free
    if manifest.size > free:
        raise Unavailable(
            f"The cloud takes {manifest.size >> 20} MiB, and there are {free >> 20} MiB free in {data_dir}.",
            next_step="Make room; what is there is kept until you remove it.",
        )


def _unpack(archive: Reader, stage: Path) -> None:
    (stage / IMAGES).mkdir(mode=0o750)
    for name in archive.manifest.files:
        archive.take(name, stage / name)


def _prepare_records(records: Path, file: Path, manifest: Manifest) -> set[str]:
    """Have them be this release's, and of a new epoch; the ids of the images that have bits."""
    if why := damage(records):
        raise Conflict(f"The records in {file} are damaged: {why}", next_step="Restore another backup.")
    database = Database(f"sqlite:///{records}")
    try:
        ensure_schema(database)
        Epoch(database, SystemClock(), Ids()).begin(f"restored from {manifest.made_at:%Y-%m-%dT%H:%M:%SZ}")
    finally:
        database.close()
    return look_into(records).images


def _prepare_images(staged: Path, present: Path, wanted: set[str]) -> list[str]:
    """
    Have the bits of just these images; the ids of those that there are none of.

    Of what is not in the backup, the data directory's own serve: an id is never used again, and bits do not change.
    """
    for path in staged.iterdir():
        if path.name in wanted:
            path.chmod(0o444)
        else:
            path.unlink()
    lost = []
    for image_id in sorted(wanted - {path.name for path in staged.iterdir()}):
        if (present / image_id).is_file():
            os.link(present / image_id, staged / image_id)
        else:
            lost.append(image_id)
    return lost


def _prepare_settings(stage: Path, data_dir: Path, file: Path) -> None:
    """The settings say where they are."""
    try:
        settings = load(stage)
    except msgspec.MsgspecError as broken:
        raise Rejected(
            f"The settings in {file} cannot be read: {broken}", next_step="Restore another backup."
        ) from broken
    assert settings is not None  # noqa: S101 - it is in the manifest
    save(msgspec.structs.replace(settings, data_dir=data_dir), stage)


def _swap(stage: Path, data_dir: Path) -> Path | None:
    """What is there goes aside, and what was staged comes; where the former is."""
    aside = data_dir / f"replaced-{datetime.now(UTC):%Y%m%dT%H%M%S.%fZ}"
    for path in stage.rglob("*"):
        durable.sync(path)
    for name in _GOING:
        if (data_dir / name).exists():
            aside.mkdir(mode=0o700, exist_ok=True)
            (data_dir / name).rename(aside / name)
    durable.sync(data_dir)
    for name in _COMING:
        if (stage / name).exists():
            (stage / name).rename(data_dir / name)
            durable.sync(data_dir)
    return aside if aside.exists() else None
