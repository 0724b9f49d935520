"""Flat root disks: each server has its own whole copy, as fast as the disk and independent of the cache."""

from __future__ import annotations

import subprocess
from pathlib import Path

from kilonova.agent.images.backend import disk_size
from kilonova.agent.images.cache import ImageCache
from kilonova.agent.images.space import require_space
from kilonova.domain.machine import ImageRef

_BLOCK = 512  # the unit of st_blocks


class RawBackend:
    """Copies; shares blocks where the file system can, and keeps holes."""

    format = "raw"

    def __init__(self, cache: ImageCache, *, reserved_bytes: int = 0) -> None:
        self._cache = cache
        self._reserved = reserved_bytes

    def create(self, image: ImageRef, path: Path, size: int) -> None:
        base = self._cache.fetch_flat(image)
        size = disk_size(image, base, size)
        require_space(path.parent, base.path.stat().st_blocks * _BLOCK, self._reserved)
        subprocess.run(
            ["cp", "--reflink=auto", "--sparse=always", str(base.path), str(path)], check=True, capture_output=True
        )
        with path.open("r+b") as disk:
            disk.truncate(size)
