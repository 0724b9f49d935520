"""
How a host keeps up with its networks.

It follows `share.<id>` of each network and security group that it has, and takes the changes fanned out there one generation at a
time. Such a message may be lost, and what was said before the host followed was not heard. So it says which generation it has of
each: when one is new to it, when it sees a gap, and now and then. It is told the whole of what is newer in the records, and
nothing when it is up to date.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable

import structlog

from kilonova.agent.hypervisor.failure import HostFailure
from kilonova.agent.hypervisor.port import Driver
from kilonova.domain.hostnet import HeldNetworks, HostNetwork, ShareChange
from kilonova.rpc.bus import Bus
from kilonova.rpc.messages import NetworksHeld

_log = structlog.get_logger(__name__)


class Following:
    """A host's side of it; `topic` is the host's own. Safe to use from many threads."""

    def __init__(self, host: str, topic: str, driver: Driver, bus: Bus) -> None:
        self._host, self._topic, self._driver, self._bus = host, topic, driver, bus
        self._followed: frozenset[str] = frozenset()
        self._lock = threading.Lock()

    def replace(self, state: HostNetwork) -> None:
        """The host's share is exactly this."""
        self._carry_out(lambda: self._driver.set_network(state))
        self.refresh()

    def update(self, part: HostNetwork) -> None:
        """Bring up to date what the host has of this."""
        self._carry_out(lambda: self._driver.update_network(part))
        self.refresh()

    def change(self, change: ShareChange) -> None:
        """Take a step; or, when steps are missing, ask."""
        if self._carry_out(lambda: self._driver.change_network(change)):
            self.refresh()
        else:
            self.say(urgent=[change.id])

    def refresh(self) -> None:
        """Follow just what the host has now; a command may have changed that."""
        held = frozenset(self._driver.held_networks())
        with self._lock:
            new, is_other = held - self._followed, held != self._followed
            self._followed = held
            if is_other:
                self._bus.follow(self._topic, [f"share.{ident}" for ident in held])
        if new:
            self.say(urgent=new)

    def say(self, urgent: Iterable[str] = ()) -> None:
        """Which generations it has, if any; of the `urgent` ones it may have missed something."""
        generations = self._driver.held_networks()
        if generations:
            held = HeldNetworks(generations=generations, urgent=tuple(sorted(urgent)))
            self._bus.cast("conductor", NetworksHeld(host=self._host, held=held))

    def _carry_out(self, work: Callable[[], bool | None]) -> bool:
        """False when the work says so; what the host refuses it refuses again until something else changes."""
        try:
            return work() is not False
        except HostFailure as why:
            _log.warning("a change of the networks could not be made here", host=self._host, why=why.fault.message)
            return True
