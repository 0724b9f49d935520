"""ImageLocalityWeigher: prefer hosts that have the image: they have servers of it, so it is in their cache."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from kilonova.domain.boot import SchedulingRequest
from kilonova.scheduler.columns import Floats
from kilonova.scheduler.fleet import Fleet
from kilonova.scheduler.plugin import Weigher


class ImageLocalityWeigher(Weigher):
    """1 where the image is."""

    name: ClassVar = "ImageLocalityWeigher"
    option: ClassVar = "image_locality_weight_multiplier"
    reads_images: ClassVar = True

    def score(self, fleet: Fleet, request: SchedulingRequest) -> Floats:
        figures: Floats = fleet.context.images.has(request.image_id or "").astype(np.float64)
        return figures
