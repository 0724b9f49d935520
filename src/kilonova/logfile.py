"""
A log file of one process: full, it is set aside under a number, and of these the oldest goes.

    NAME.log   NAME.log.1   NAME.log.2 …   the latest, the one before, …
    NAME.log.lock                          held by the process that writes them

Two processes in one file would set it aside under each other's hands, so the second is refused. What is written to stdout and
stderr past the log (a library's complaint, the interpreter's last words) goes to the same file.
"""

from __future__ import annotations

import fcntl
import io
import logging
import os
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import Annotated

import msgspec
from msgspec import Meta

from kilonova.domain.errors import Conflict


class Rotation(msgspec.Struct, frozen=True, kw_only=True):
    """How large a file becomes, in bytes, and how many are kept that were set aside."""

    max_bytes: Annotated[int, Meta(ge=1 << 16)] = 16 << 20
    keep: Annotated[int, Meta(ge=1)] = 3


class LogFile(RotatingFileHandler):
    """Takes whole lines, by `write`, from any thread. Raises Conflict when another process has it."""

    def __init__(self, path: Path, rotation: Rotation) -> None:
        self._lock_file = os.open(f"{path}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._lock_file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(self._lock_file)
            raise Conflict(
                f"Another process writes the log {path}.", next_step="Give each process a name of its own, or a folder."
            ) from None
        super().__init__(path, maxBytes=rotation.max_bytes, backupCount=rotation.keep, encoding="utf-8")
        self._take_output()

    def write(self, text: str) -> None:
        """A line, with its end."""
        self.handle(logging.makeLogRecord({"msg": text.removesuffix("\n")}))

    def doRollover(self) -> None:  # noqa: N802 - the library's name
        """Go on in a new file."""
        super().doRollover()
        self._take_output()

    def close(self) -> None:
        """Let go of it."""
        super().close()
        if self._lock_file >= 0:
            os.close(self._lock_file)
            self._lock_file = -1

    def _open(self) -> io.TextIOWrapper:
        """For its owner's eyes: it names people and addresses."""
        raw = io.FileIO(self.baseFilename, "a", opener=_private)
        return io.TextIOWrapper(io.BufferedWriter(raw), encoding="utf-8")

    def _take_output(self) -> None:
        if self.stream is not None:
            for descriptor in (1, 2):
                os.dup2(self.stream.fileno(), descriptor)


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
