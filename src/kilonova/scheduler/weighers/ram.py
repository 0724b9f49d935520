"""RAMWeigher: prefer hosts with more RAM that is not claimed."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from kilonova.domain.boot import SchedulingRequest
from kilonova.scheduler.columns import Floats
from kilonova.scheduler.fleet import RAM, Fleet
from kilonova.scheduler.plugin import Weigher


class RAMWeigher(Weigher):
    """Physical RAM less what is claimed, as in Nova: neither the ratio nor the reserve counts."""

    name: ClassVar = "RAMWeigher"
    option: ClassVar = "ram_weight_multiplier"
    reads_request: ClassVar = False

    def score(self, fleet: Fleet, request: SchedulingRequest) -> Floats:
        free: Floats = np.subtract(fleet.physical[RAM], fleet.use[RAM], dtype=np.float64)
        return free
