"""The log of the cloud's own process, read while that writes it: full, it is set aside under a number, and a new one begun."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO


def last_lines(path: Path, lines: int | None) -> str:
    """What the log says, or the end of it; "" where there is none."""
    try:
        with path.open("rb") as file:
            said = file.readlines() if lines is None else deque(file, maxlen=lines)
    except FileNotFoundError:
        return ""
    return b"".join(said).decode(errors="replace")


def following(path: Path, pause: Callable[[], object]) -> Iterator[str]:
    """What it goes on to say, over files that are set aside; `pause` waits between two looks."""
    start = path.stat().st_size if path.exists() else 0
    while True:
        try:
            file = path.open("rb")
        except FileNotFoundError:
            pause()
            continue
        with file:
            file.seek(start)
            yield from _to_the_end(path, file, pause)
        start = 0


def _to_the_end(path: Path, file: BinaryIO, pause: Callable[[], object]) -> Iterator[str]:
    """What one file goes on to say until another has its name."""
    is_current = True
    while True:
        if more := file.read():
            yield more.decode(errors="replace")
        elif not is_current:
            return
        elif is_current := _is_still(path, file):
            pause()  # else what was written between the two looks is read first


def _is_still(path: Path, file: BinaryIO) -> bool:
    try:
        there = path.stat()
    except FileNotFoundError:
        return False
    here = os.fstat(file.fileno())
    return (there.st_dev, there.st_ino) == (here.st_dev, here.st_ino)
