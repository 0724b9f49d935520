"""NumInstancesWeigher: pack (above 0) or spread (below 0) by the number of servers."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from kilonova.domain.boot import SchedulingRequest
from kilonova.scheduler.columns import Floats
from kilonova.scheduler.fleet import SERVERS, Fleet
from kilonova.scheduler.plugin import Weigher


class NumInstancesWeigher(Weigher):
    """Servers claimed there."""

    name: ClassVar = "NumInstancesWeigher"
    option: ClassVar = "num_instances_weight_multiplier"
    reads_request: ClassVar = False

    def score(self, fleet: Fleet, request: SchedulingRequest) -> Floats:
        figures: Floats = fleet.use[SERVERS].astype(np.float64)
        return figures
