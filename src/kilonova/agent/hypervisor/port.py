"""
The port between the agent and what makes machines on its host.

Drivers are found by entry point (`kilonova.hypervisors`): a function from a `HostSetup` to a `Driver` (`agent/driver.py`), of
which the hypervisor is one part.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from kilonova.domain.host import HostFacts
from kilonova.domain.report import Observed


class Hypervisor(Protocol):
    """The machines of one host, as they are."""

    def facts(self) -> HostFacts:
        """What the host can hold."""

    def observe(self) -> list[Observed]:
        """Every machine of ours that the hypervisor has, with the generation of the command last carried out."""

    def generations(self, epoch: str) -> dict[str, int]:
        """Of this epoch, the newest generation carried out for each server, those removed lately included."""

    def watch(self, changed: Callable[[Observed], None]) -> None:
        """Call `changed` whenever a machine changes its power state by itself."""

    def inventory(self) -> dict[str, tuple[tuple[str, str], ...]]:
        """
        Everything of ours on the host but the machines, by kind: (thing, the server it is for; "" when nobody owns it).

        Kinds are disks, cache_parts, taps, rules, dhcp_entries, bridges, as far as the driver has such things. What is shared and
        in use (a cached image, a bridge with ports) is not listed.
        """

    def uptime(self) -> str:
        """The host's uptime line."""

    def close(self) -> None:
        """Let go of the hypervisor and the network. Machines go on running."""

    def purge(self) -> None:
        """Leave nothing of ours on the host: no machine, no network, no file, no daemon we started. Closed after it."""
