"""Files that are either there and whole, or not there: made under another name, synced, then renamed."""

from __future__ import annotations

import os
from pathlib import Path

from kilonova.private import UNCHANGED


def part_of(path: Path) -> Path:
    """The name under which `path` is being made."""
    return path.with_name(path.name + ".part")


def publish(part: Path, path: Path, *, mode: int = 0o600, group: int = UNCHANGED) -> None:
    """Give a finished file its name, durably."""
    os.chown(part, UNCHANGED, group)
    part.chmod(mode)
    sync(part)
    part.rename(path)
    sync(path.parent)


def write(path: Path, content: bytes) -> None:
    """Replace a file's content at once. A reader sees the old or the new."""
    part = part_of(path)
    descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
    publish(part, path)


def sync(path: Path) -> None:
    """Have a file's content, or the names in a folder, on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
