"""
What waits to be sent, and what was sent and is not confirmed: nothing leaves here before the broker has it on disk.

A letter is *waiting*, then *in flight* under the number that the channel gave it, then gone. When the connection is lost all that
was in flight waits again, first and in its old order: it may arrive twice, which every receiver bears, and never not at all.

It is bounded. With the broker away for long, the oldest casts are dropped, with a line in the log: they are wake-ups, the records
are the truth, and the pass over the records finds what they were about. Blocking who casts would stop the API for the broker's
sake, and an unbounded box would end the process for it.

Whoever has to know what became of a letter gives it a `done`: called once, with whether the broker has it, in any thread.
"""

from __future__ import annotations

import threading
from collections import OrderedDict, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import structlog

_log = structlog.get_logger(__name__)


def _ignore(_: bool) -> None:  # noqa: FBT001 - fills a callback's place
    pass


@dataclass
class Letter:
    """
    A message on its way. `exchange` "": the one that its sender speaks through. `until` is on the monotonic clock; later than
    that it is not sent.
    """

    key: str
    body: bytes
    properties: dict[str, Any]
    headers: dict[str, Any] = field(default_factory=dict)
    mandatory: bool = False
    until: float | None = None
    exchange: str = ""
    done: Callable[[bool], None] = _ignore


class Outbox:
    """See the module's text. Safe to use from many threads."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._waiting: deque[Letter] = deque()
        self._in_flight: OrderedDict[int, Letter] = OrderedDict()
        self._changed = threading.Condition()
        self.dropped = 0

    def put(self, letter: Letter) -> None:
        """Have it sent; at the limit the oldest goes."""
        oldest = None
        with self._changed:
            if len(self._waiting) >= self._limit:
                oldest = self._waiting.popleft()
                self.dropped += 1
            self._waiting.append(letter)
        if oldest is not None:
            if self.dropped == 1 or self.dropped % 1000 == 0:
                _log.error("the outbox is full: messages are dropped, the oldest first", dropped=self.dropped)
            oldest.done(False)

    def take(self, number: int, window: int, now: float) -> Letter | None:
        """The next to send, in flight as `number` from now on; None when there is none, or `window` are in flight."""
        late: list[Letter] = []
        found = None
        with self._changed:
            while self._waiting and len(self._in_flight) < window and found is None:
                letter = self._waiting.popleft()
                if letter.until is not None and letter.until <= now:
                    late.append(letter)
                else:
                    found = self._in_flight[number] = letter
            self._changed.notify_all()
        for letter in late:
            letter.done(False)
        return found

    def confirm(self, number: int, *, multiple: bool) -> None:
        """The broker has this one, or all up to it."""
        for letter in self._settle(number, multiple=multiple):
            letter.done(True)

    def refuse(self, number: int, *, multiple: bool) -> None:
        """The broker could not take these: they wait again, behind the others."""
        letters = self._settle(number, multiple=multiple)
        with self._changed:
            self._waiting.extend(letters)

    def rewind(self) -> None:
        """The connection is gone: what was in flight waits again."""
        with self._changed:
            self._waiting.extendleft(reversed(self._in_flight.values()))
            self._in_flight.clear()

    def drop_in_flight(self) -> list[Letter]:
        """Give up what is in flight."""
        with self._changed:
            letters = list(self._in_flight.values())
            self._in_flight.clear()
            self._changed.notify_all()
        for letter in letters:
            letter.done(False)
        return letters

    def wait_empty(self, timeout_s: float) -> bool:
        """Wait until the broker has everything; whether it has."""
        with self._changed:
            return self._changed.wait_for(lambda: not self._waiting and not self._in_flight, timeout_s)

    def counts(self) -> tuple[int, int]:
        """How many wait, and how many are in flight."""
        with self._changed:
            return len(self._waiting), len(self._in_flight)

    def _settle(self, number: int, *, multiple: bool) -> list[Letter]:
        with self._changed:
            numbers = [one for one in self._in_flight if one <= number] if multiple else [number]
            letters = [letter for one in numbers if (letter := self._in_flight.pop(one, None)) is not None]
            self._changed.notify_all()
            return letters
