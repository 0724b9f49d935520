"""BuildFailureWeigher: avoid hosts where builds failed lately."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from kilonova.domain.boot import SchedulingRequest
from kilonova.scheduler.columns import Floats
from kilonova.scheduler.fleet import Fleet
from kilonova.scheduler.plugin import Weigher


class BuildFailureWeigher(Weigher):
    """Fewer failures are better."""

    name: ClassVar = "BuildFailureWeigher"
    option: ClassVar = "build_failure_weight_multiplier"
    reads_request: ClassVar = False

    def score(self, fleet: Fleet, request: SchedulingRequest) -> Floats:
        figures: Floats = -fleet.context.failures.astype(np.float64)
        return figures
