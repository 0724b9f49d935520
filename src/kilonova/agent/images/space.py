"""Room on the host's disk, asked for before it is needed."""

from __future__ import annotations

import errno
import os
import shutil
from pathlib import Path

from kilonova.agent.failure import HostFailure
from kilonova.domain.report import HostFault

_MIB = 1 << 20
_FULL = (errno.ENOSPC, errno.EDQUOT)
DISK_FULL = HostFault(message="The host's disk is full.", code=507, elsewhere=True)


def is_full(error: OSError) -> bool:
    """Whether a write failed for want of room."""
    return error.errno in _FULL


def check_said(said: str) -> None:
    """Raise the OSError that a program, which speaks English, says it met: that there is no room."""
    for number in _FULL:
        if os.strerror(number) in said:
            raise OSError(number, os.strerror(number))


def require_space(folder: Path, size: int, reserved: int) -> None:
    """Raise HostFailure when `size` bytes would leave fewer than `reserved` free; another host may have them."""
    free = shutil.disk_usage(folder).free
    if free - size < reserved:
        message = (
            f"The host's disk has {free // _MIB} MiB free, {size // _MIB} are needed and {reserved // _MIB} kept back."
        )
        raise HostFailure(HostFault(message=message, code=507, elsewhere=True))
