"""What the use cases of images are handed."""

from __future__ import annotations

from dataclasses import dataclass, field

from kilonova.domain.clock import Clock, Ids
from kilonova.image.bits import FileBits
from kilonova.image.limits import ImageLimits
from kilonova.store.database import Database


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageService:
    """One cloud's image service; call `recovery.recover` before it serves."""

    database: Database
    clock: Clock
    ids: Ids
    bits: FileBits
    limits: ImageLimits = field(default_factory=ImageLimits)
