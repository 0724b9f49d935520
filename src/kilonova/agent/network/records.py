"""
What this host is to have of the networks, as it was told last.

The records are one file, written whole before anything on the host changes: after `kill -9` or a reboot the agent reads it
and converges, so nobody has to be asked.
"""

from __future__ import annotations

import os
from pathlib import Path

import msgspec

from kilonova.domain.hostnet import HostNetwork
from kilonova.private import ensure_folder


class Records(msgspec.Struct, frozen=True, kw_only=True):
    """
    The host's share, the number of each of its networks here by bridge, and sysctls that we changed, with their former values.
    """

    share: HostNetwork = HostNetwork()
    slots: dict[str, int] = {}
    sysctls: dict[str, str] = {}


_decoder = msgspec.json.Decoder(Records)


class RecordFile:
    """Keeps `Records` in a file. A reader sees the old text or the new, never half of one."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def read(self) -> Records:
        """The records; empty when there are none. Raises msgspec.DecodeError when the file is not ours."""
        try:
            return _decoder.decode(self._path.read_bytes())
        except FileNotFoundError:
            return Records()

    def exists(self) -> bool:
        """Whether there are any."""
        return self._path.exists()

    def write(self, records: Records) -> None:
        """Replace the records, durably."""
        ensure_folder(self._path.parent)
        part = self._path.with_suffix(".part")
        with part.open("wb") as file:
            file.write(msgspec.json.encode(records))
            file.flush()
            os.fsync(file.fileno())
        part.replace(self._path)

    def delete(self) -> None:
        """Forget it all."""
        self._path.unlink(missing_ok=True)
        self._path.with_suffix(".part").unlink(missing_ok=True)
