"""Room on the host's disk, asked for before it is needed."""

from __future__ import annotations

import shutil
from pathlib import Path

from kilonova.agent.hypervisor.failure import HostFailure
from kilonova.domain.report import HostFault

_MIB = 1 << 20


def require_space(folder: Path, size: int, reserved: int) -> None:
    """Raise HostFailure when `size` bytes would leave fewer than `reserved` free; another host may have them."""
    free = shutil.disk_usage(folder).free
    if free - size < reserved:
        message = (
            f"The host's disk has {free // _MIB} MiB free, {size // _MIB} are needed and {reserved // _MIB} kept back."
        )
        raise HostFailure(HostFault(message=message, code=507, elsewhere=True))
