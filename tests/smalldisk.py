"""A disk that is soon full: a small file system in memory, which takes root."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

MIB = 1024 * 1024


@contextmanager
def small_disk(folder: Path, mib: int, *, owner: str = "root") -> Iterator[Path]:
    """A file system of so many MiB at `folder`, gone in the end."""
    if os.geteuid() != 0:
        pytest.skip("mounting a small disk takes root")
    folder.mkdir(exist_ok=True)
    options = f"size={mib}m,uid={owner},mode=700"
    if subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", folder], check=False).returncode != 0:
        pytest.skip("this machine lets nobody mount")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True)
        folder.rmdir()


def fill(folder: Path, *, leave: int = 0) -> Path:
    """Take all of the disk but `leave` bytes; the file that has them."""
    filler = folder / "filler"
    with filler.open("wb", buffering=0) as file:
        room = os.statvfs(folder).f_bavail * os.statvfs(folder).f_frsize - leave
        os.posix_fallocate(file.fileno(), 0, max(room, 1))
    return filler
