"""IoOpsWeigher: with its multiplier below 0, avoid hosts that are building servers."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from kilonova.domain.boot import SchedulingRequest
from kilonova.scheduler.columns import Floats
from kilonova.scheduler.fleet import Fleet
from kilonova.scheduler.plugin import Weigher


class IoOpsWeigher(Weigher):
    """Servers being built there."""

    name: ClassVar = "IoOpsWeigher"
    option: ClassVar = "io_ops_weight_multiplier"
    reads_request: ClassVar = False

    def score(self, fleet: Fleet, request: SchedulingRequest) -> Floats:
        figures: Floats = fleet.context.building.astype(np.float64)
        return figures
