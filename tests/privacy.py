"""What other users of a machine can do with a tree of files, by the modes in it."""

from __future__ import annotations

import stat
from collections.abc import Iterator
from pathlib import Path

_READ_OR_WRITE, _PASS = 0o006, 0o001


def open_to_others(root: Path) -> list[str]:
    """What of a tree others can list, read, write or talk to, supposing that they can get to `root`; it should be nothing."""
    return sorted(str(path) for path in _open(root))


def _open(path: Path) -> Iterator[Path]:
    mode = path.lstat().st_mode
    if stat.S_ISLNK(mode):
        return
    if mode & _READ_OR_WRITE:
        yield path
    if stat.S_ISDIR(mode) and mode & _PASS:  # names can be guessed where they cannot be listed
        for child in path.iterdir():
            yield from _open(child)
