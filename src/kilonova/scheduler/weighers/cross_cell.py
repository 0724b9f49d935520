"""CrossCellWeigher: stay in the cell. A cloud here is one cell, so all hosts are alike."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from kilonova.domain.boot import SchedulingRequest
from kilonova.scheduler.columns import Floats
from kilonova.scheduler.fleet import Fleet
from kilonova.scheduler.plugin import Weigher


class CrossCellWeigher(Weigher):
    """The same for all."""

    name: ClassVar = "CrossCellWeigher"
    option: ClassVar = "cross_cell_move_weight_multiplier"
    reads_request: ClassVar = False

    def score(self, fleet: Fleet, request: SchedulingRequest) -> Floats:
        figures: Floats = np.zeros(len(fleet))
        return figures
