"""PCIWeigher: keep hosts with PCI devices for servers that need them. No host reports devices, so all are alike."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from kilonova.domain.boot import SchedulingRequest
from kilonova.scheduler.columns import Floats
from kilonova.scheduler.fleet import Fleet
from kilonova.scheduler.plugin import Weigher


class PCIWeigher(Weigher):
    """The same for all."""

    name: ClassVar = "PCIWeigher"
    option: ClassVar = "pci_weight_multiplier"
    reads_request: ClassVar = False

    def score(self, fleet: Fleet, request: SchedulingRequest) -> Floats:
        figures: Floats = np.zeros(len(fleet))
        return figures
