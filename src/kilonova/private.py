"""
Files that other users of the machine cannot read, list or talk to.

A process sets its own umask, whatever it was started with: systemd's unit, a shell and a test give different ones. What somebody
else must reach (QEMU, dnsmasq, libvirtd) is opened by name where it is made, and to nobody beyond that.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable
from pathlib import Path

UMASK = 0o077
_READ_OR_WRITE, _ALL = 0o006, 0o007
UNCHANGED = -1  # os.chown's word for an owner or a group that stays


def keep_private() -> None:
    """Have all that this process makes from now on be its user's alone, unless it is opened by name."""
    os.umask(UMASK)


def close_to_others(paths: Iterable[Path]) -> None:
    """
    Take from others what an earlier release gave them: they list no folder and read no file.

    Whether they may pass through a folder stays: QEMU does on the way to its disks.
    """
    for path in paths:
        try:
            mode = path.lstat().st_mode
        except FileNotFoundError:
            continue  # it was being made or removed
        extra = mode & (_READ_OR_WRITE if stat.S_ISDIR(mode) else _ALL)
        if extra and not stat.S_ISLNK(mode):
            path.chmod(stat.S_IMODE(mode) & ~extra)


def ensure_folder(path: Path, *, group: int = UNCHANGED) -> None:
    """Make a folder that root uses and `group` may pass through; folders above it that are missing let everybody pass."""
    _ensure_way(path.parent)
    path.mkdir(exist_ok=True)
    os.chown(path, UNCHANGED, group)
    path.chmod(0o700 if group == UNCHANGED else 0o710)


def _ensure_way(folder: Path) -> None:
    """Missing folders on the way: nobody else lists them, everybody passes, since where they lead may be another user's."""
    if folder.is_dir():
        return
    _ensure_way(folder.parent)
    folder.mkdir(exist_ok=True)
    folder.chmod(0o711)
