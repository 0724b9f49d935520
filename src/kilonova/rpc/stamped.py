"""
A bus that says of which epoch of the database the generations are that go to hosts.

Whoever makes a command or tells of a change reads its generation in the database of this process, whose epoch stays the same as
long as the process lives (`store/epoch.py`). So the epoch is said here, once, for all of them.
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from kilonova.rpc.bus import Bus, Handler
from kilonova.rpc.messages import Message, OfEpoch


class StampedBus:
    """Passes everything on to another bus. What names an epoch already is of that one, and is left as it is."""

    def __init__(self, bus: Bus, epoch: Callable[[], str]) -> None:
        self._bus, self._epoch = bus, epoch
        self.call, self.follow, self.close = bus.call, bus.follow, bus.close

    def serve(self, topic: str, handler: Handler, *, workers: int = 1) -> Callable[[], None]:
        return self._bus.serve(topic, handler, workers=workers)

    def cast(self, topic: str, message: Message) -> None:
        self._bus.cast(topic, self._stamped(message))

    def fanout(self, topic: str, message: Message) -> None:
        self._bus.fanout(topic, self._stamped(message))

    def _stamped(self, message: Message) -> Message:
        if isinstance(message, OfEpoch) and not message.epoch:
            return msgspec.structs.replace(message, epoch=self._epoch())
        return message
