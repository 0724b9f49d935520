"""
How a host keeps up with its networks.

It follows `share.<id>` of each network and security group that it has, and takes the changes fanned out there one generation at a
time. They may overtake each other, as conductors take turns at telling: one that comes too early waits for those before it, for
`PATIENCE_S`. And one may be lost, and what was said before the host followed was not heard. So it says which generation it has of
each: when one is new to it, when it waits in vain, and now and then. It is told the whole of what is newer in the records, and
nothing when it is up to date.

Generations count within one epoch of the records. What comes from another epoch than the host's state is not taken, be it older
or newer: the host must be given the whole state anew (`service.py` joins again).
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable

import structlog
from msgspec.structs import replace

from kilonova.agent.failure import HostFailure
from kilonova.agent.network.port import NetworkState
from kilonova.domain.clock import Clock
from kilonova.domain.hostnet import HostNetwork, ShareChange
from kilonova.rpc.bus import Bus
from kilonova.rpc.messages import NetworksHeld, is_same

PATIENCE_S = 5.0
_log = structlog.get_logger(__name__)


class NetworkSubscription:
    """A host's side of it. Safe to use from many threads."""

    def __init__(self, host: str, network: NetworkState, bus: Bus, clock: Clock) -> None:
        self._host, self._network, self._bus, self._clock = host, network, bus, clock
        self._topic = f"agent.{host}"
        self._early: dict[str, dict[int, ShareChange]] = {}  # by thing and generation, steps that wait for those before
        self._epoch = ""  # that the host's state is of
        self._stepping = threading.Lock()
        self._followed: frozenset[str] = frozenset()
        self._lock = threading.Lock()

    def replace(self, state: HostNetwork, epoch: str) -> None:
        """The host's share is exactly this."""
        with self._stepping:
            self._epoch = epoch
            self._early.clear()
            self._carry_out(lambda: self._network.replace(state))
        self.refresh()

    def update(self, part: HostNetwork, epoch: str) -> bool:
        """Bring up to date what the host has of this. False, and nothing is done, when it is of another epoch."""
        with self._stepping:
            if not is_same(epoch, self._epoch):
                return False
            self._carry_out(lambda: self._network.update(part))
            for ident in list(self._early):
                self._step(ident)
        self.refresh()
        return True

    def change(self, change: ShareChange, epoch: str) -> bool:
        """
        Take a step, and those that waited for it; one that comes too early waits, and is asked about if that is in vain.

        False, and nothing is done, when it is of another epoch.
        """
        with self._stepping:
            if not is_same(epoch, self._epoch):
                return False
            self._early.setdefault(change.id, {})[change.generation] = change
            is_waiting = self._step(change.id)
        self.refresh()
        if is_waiting:
            self._clock.call_later(PATIENCE_S, lambda: self._ask(change))
        return True

    def _step(self, ident: str) -> bool:
        """Take all the steps that can be taken. Whether others wait."""
        early = self._early.pop(ident, {})
        for generation in sorted(early):
            step = early[generation]
            if not self._carry_out(lambda: self._network.change(step)):  # noqa: B023 - called at once
                self._early[ident] = early
                return True
            del early[generation]
        return False

    def _ask(self, early: ShareChange) -> None:
        """What this one waited for has not come."""
        with self._stepping:
            is_waiting = early.generation in self._early.get(early.id, ())
        if is_waiting:
            self.say(urgent=[early.id])

    def refresh(self) -> None:
        """Follow just what the host has now; a command may have changed that."""
        held = frozenset(self._network.held().generations)
        with self._lock:
            new, is_other = held - self._followed, held != self._followed
            self._followed = held
            if is_other:
                self._bus.follow(self._topic, [f"share.{ident}" for ident in held])
        if new:
            self.say(urgent=new)

    def say(self, urgent: Iterable[str] = ()) -> None:
        """Which generations it has, if any; of the `urgent` ones it may have missed something."""
        held = self._network.held()
        if held.generations:
            held = replace(held, urgent=tuple(sorted(urgent)))
            self._bus.cast("conductor", NetworksHeld(host=self._host, held=held, epoch=self._epoch))

    def tend(self) -> None:
        """Now and then: have the networks be as the machine is now, and say what is held."""
        self._carry_out(self._network.tend)
        self.say()

    def _carry_out(self, work: Callable[[], bool | None]) -> bool:
        """False when the work says so; what the host refuses it refuses again until something else changes."""
        try:
            return work() is not False
        except HostFailure as why:
            _log.warning("a change of the networks could not be made here", host=self._host, why=why.fault.message)
            return True
