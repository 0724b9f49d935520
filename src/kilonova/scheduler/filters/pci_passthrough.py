"""PciPassthroughFilter: the host has the PCI devices that the flavor asks for."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from kilonova.domain.boot import SchedulingRequest
from kilonova.scheduler.columns import Bools, Positions
from kilonova.scheduler.fleet import Fleet
from kilonova.scheduler.plugin import Filter

_ALIAS = "pci_passthrough:alias"


class PciPassthroughFilter(Filter):
    """No host reports devices to pass through, so a flavor with `pci_passthrough:alias` is refused with that reason."""

    name: ClassVar = "PciPassthroughFilter"

    def mask(self, fleet: Fleet, request: SchedulingRequest) -> Bools:
        return np.zeros(len(fleet), np.bool_) if _ALIAS in request.extra_specs else fleet.everyone

    def reason(self, fleet: Fleet, request: SchedulingRequest, removed: Positions) -> str:
        return f"PCI devices {request.extra_specs[_ALIAS]} are asked for, and these report none"

    def lacks(self, fleet: Fleet, request: SchedulingRequest, host: int) -> str:
        return f"PCI devices {request.extra_specs[_ALIAS]}: it reports none"
