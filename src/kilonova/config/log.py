"""Where a process of a fleet logs."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Annotated, Literal

from msgspec import Meta

from kilonova.config.section import Section
from kilonova.logfile import LogFile, Rotation


class LogSection(Section, frozen=True, kw_only=True):
    """JSON lines, on stderr unless there is a folder."""

    level: Annotated[Literal["debug", "info", "warning", "error"], Meta(description="What is worth a line.")] = "info"
    folder: Annotated[
        str,
        Meta(
            description="A folder where each process of this machine has its own file, KIND-NAME.log; empty: stderr, which is"
            " whoever's started the process."
        ),
    ] = ""
    max_bytes: Annotated[
        int, Meta(ge=1 << 16, le=1 << 40, description="Bytes of such a file when it is set aside and a new one begun.")
    ] = 16 << 20
    keep: Annotated[int, Meta(ge=1, le=1000, description="How many are kept that were set aside.")] = 3

    def sink(self, kind: str, name: str) -> LogFile | None:
        """The file of the process of this kind and name, if there is a folder. Raises Conflict, OSError."""
        if not self.folder:
            return None
        path = Path(self.folder) / f"{kind}-{name or socket.gethostname()}.log"
        return LogFile(path, Rotation(max_bytes=self.max_bytes, keep=self.keep))
