"""
The port for how a host keeps root disks: flat copies (`raw.py`) or overlays on the cached image (`qcow2.py`).

A backend makes a disk under a name that does not exist yet; whoever calls it gives the finished disk its real name. Sizes in
bytes.
"""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from kilonova.agent.failure import HostFailure
from kilonova.agent.images.cache import Base
from kilonova.domain.machine import ImageRef
from kilonova.domain.report import HostFault

_GIB = 1 << 30


class DiskBackend(Protocol):
    """Makes disks from images; `format` is what qemu reads them as."""

    @property
    def format(self) -> str:
        """One of raw, qcow2."""

    def create(self, image: ImageRef, path: Path, size: int) -> None:
        """Make the disk, `size` bytes long (0: as long as the image's own). Raises HostFailure."""


def disk_size(image: ImageRef, base: Base, size: int) -> int:
    """The size a disk gets. Raises HostFailure when the image does not fit it, as it would on no host."""
    if size and base.virtual_size > size:
        message = (
            f"Image {image.id} holds a disk of {base.virtual_size / _GIB:.2f} GiB, "
            f"and the flavor's root disk has {size / _GIB:.2f} GiB."
        )
        raise HostFailure(HostFault(message=message, code=400, elsewhere=False))
    return max(size, base.virtual_size)
