"""ImagePropertiesWeigher: keep servers of like image properties together."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from kilonova.domain.boot import SchedulingRequest
from kilonova.scheduler.columns import Floats
from kilonova.scheduler.fleet import Fleet
from kilonova.scheduler.plugin import Weigher


class ImagePropertiesWeigher(Weigher):
    """1 where servers of the image are: servers of one image share its properties."""

    name: ClassVar = "ImagePropertiesWeigher"
    option: ClassVar = "image_props_weight_multiplier"
    reads_images: ClassVar = True

    def score(self, fleet: Fleet, request: SchedulingRequest) -> Floats:
        figures: Floats = fleet.context.images.has(request.image_id or "").astype(np.float64)
        return figures
