"""DiskWeigher: prefer hosts with more disk that is not claimed."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from kilonova.domain.boot import SchedulingRequest
from kilonova.scheduler.columns import Floats
from kilonova.scheduler.fleet import DISK, Fleet
from kilonova.scheduler.plugin import Weigher


class DiskWeigher(Weigher):
    """Physical disk less what is claimed, as in Nova."""

    name: ClassVar = "DiskWeigher"
    option: ClassVar = "disk_weight_multiplier"
    reads_request: ClassVar = False

    def score(self, fleet: Fleet, request: SchedulingRequest) -> Floats:
        free: Floats = np.subtract(fleet.physical[DISK], fleet.use[DISK], dtype=np.float64)
        return free
