"""Root disks as qcow2 overlays: made in milliseconds, holding only what the guest has changed."""

from __future__ import annotations

from pathlib import Path

from kilonova.agent.failure import HostFailure
from kilonova.agent.images import qemu_img
from kilonova.agent.images.backend import disk_size
from kilonova.agent.images.cache import ImageCache
from kilonova.agent.images.space import require_space
from kilonova.domain.machine import ImageRef
from kilonova.domain.report import HostFault

_METADATA_BYTES = 1 << 20


class Qcow2Backend:
    """Overlays on the cached image, whose format is written into them so that nobody ever probes it."""

    format = "qcow2"

    def __init__(self, cache: ImageCache, *, reserved_bytes: int = 0) -> None:
        self._cache = cache
        self._reserved = reserved_bytes

    def create(self, image: ImageRef, path: Path, size: int) -> None:
        base = self._cache.fetch(image)
        size = disk_size(image, base, size)
        require_space(path.parent, _METADATA_BYTES, self._reserved)
        try:
            qemu_img.create_overlay(path, base=base.path, base_format=base.format, size=size)
        except qemu_img.QemuImgFailed as failed:
            raise HostFailure(HostFault(message=f"The root disk could not be made: {failed}.")) from failed
