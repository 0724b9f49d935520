"""Says now and then that the agents of this process are alive."""

from __future__ import annotations

from kilonova.domain.clock import Clock
from kilonova.rpc.bus import Bus
from kilonova.rpc.messages import Heartbeat

BEAT_EVERY_S = 15.0


class HeartbeatSender:
    """One heart for all hosts served by a process."""

    def __init__(self, hosts: tuple[str, ...], bus: Bus, clock: Clock) -> None:
        self._hosts, self._bus, self._clock = hosts, bus, clock
        self._stopped = False

    def start(self) -> None:
        """Beat, now and every BEAT_EVERY_S seconds."""
        if self._stopped:
            return
        self._bus.cast("conductor", Heartbeat(hosts=self._hosts))
        self._clock.call_later(BEAT_EVERY_S, self.start)

    def stop(self) -> None:
        """Beat no more."""
        self._stopped = True
