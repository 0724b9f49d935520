"""How a host says that it could not."""

from __future__ import annotations

from kilonova.domain.report import HostFault


class HostFailure(Exception):
    """A command cannot be carried out on this host; `fault` says why, and whether another host could."""

    def __init__(self, fault: HostFault) -> None:
        super().__init__(fault.message)
        self.fault = fault
