"""Blank disks: ephemeral (a labelled ext4, or what the user asked for) and swap."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from kilonova.agent.failure import HostFailure
from kilonova.agent.images.space import check_said, require_space
from kilonova.domain.report import HostFault

_TIMEOUT_S = 300
# What making one costs at once: the file is sparse, and the guest pays for the rest as it writes.
_OVERHEAD_BYTES = 64 << 20
_MAKERS = {
    "swap": ["mkswap", "-q", "-L"],
    "ext4": ["mkfs.ext4", "-q", "-F", "-E", "lazy_itable_init=1,nodiscard", "-L"],
    "ext3": ["mkfs.ext3", "-q", "-F", "-L"],
    "ext2": ["mkfs.ext2", "-q", "-F", "-L"],
    "xfs": ["mkfs.xfs", "-q", "-f", "-L"],
    "vfat": ["mkfs.vfat", "-n"],
}


def create_blank(path: Path, size: int, *, filesystem: str | None, label: str, reserved_bytes: int = 0) -> None:
    """A sparse raw disk of `size` bytes at `path`, with a file system when one is named. Raises HostFailure."""
    require_space(path.parent, _OVERHEAD_BYTES, reserved_bytes)
    with path.open("wb") as disk:
        disk.truncate(size)
    if filesystem is None:
        return
    if filesystem not in _MAKERS:
        known = ", ".join(sorted(_MAKERS))
        raise HostFailure(
            HostFault(
                message=f"Disks cannot be formatted as {filesystem}; known are {known}.", code=400, elsewhere=False
            )
        )
    command = [*_MAKERS[filesystem], label, str(path)]
    try:
        subprocess.run(
            command, check=True, capture_output=True, timeout=_TIMEOUT_S, text=True, env={**os.environ, "LC_ALL": "C"}
        )
    except FileNotFoundError as missing:
        raise HostFailure(HostFault(message=f"This host has no {command[0]}; install it there.")) from missing
    except subprocess.CalledProcessError as failed:
        check_said(str(failed.stderr))
        said = str(failed.stderr).strip().replace(str(path), "the disk").splitlines()
        message = f"A disk of {size >> 20} MiB could not be formatted as {filesystem}: {said[-1] if said else 'no reason given'}."
        raise HostFailure(HostFault(message=message, elsewhere=False)) from failed
