"""CPUWeigher: prefer hosts with more vCPUs left to claim."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from kilonova.domain.boot import SchedulingRequest
from kilonova.scheduler.columns import Floats
from kilonova.scheduler.fleet import VCPUS, Fleet
from kilonova.scheduler.plugin import Weigher


class CPUWeigher(Weigher):
    """CPUs times their ratio, less what is claimed."""

    name: ClassVar = "CPUWeigher"
    option: ClassVar = "cpu_weight_multiplier"
    reads_request: ClassVar = False

    def score(self, fleet: Fleet, request: SchedulingRequest) -> Floats:
        free: Floats = np.subtract(fleet.room[VCPUS], fleet.use[VCPUS], dtype=np.float64)
        return free
