"""
What waits to be sent, and what was sent and is not confirmed: nothing leaves here before the broker has it on disk.

A letter is *waiting*, then *in flight* under the number that the channel gave it, then gone. When the connection is lost all that
was in flight waits again, first and in its old order: it may arrive twice, which every receiver bears, and never not at all.

It is bounded. With the broker away for long, the oldest casts are dropped, with a line in the log: they are wake-ups, the records
are the truth, and the pass over the records finds what they were about. Blocking who casts would stop the API for the broker's
sake, and an unbounded box would end the process for it.

What the broker refuses because its queue is full is held apart (`held.py`), and goes again when there is room.

Whoever has to know what became of a letter gives it a `done`: called once, with whether the broker has it, in any thread.
"""

from __future__ import annotations

import threading
from collections import OrderedDict, deque

import structlog

from kilonova.rpc.amqp.held import PAUSE_S, Held
from kilonova.rpc.amqp.letter import Letter

_SAY_FULL_EVERY_S = 60.0
_log = structlog.get_logger(__name__)


class Outbox:
    """See the module's text. Safe to use from many threads."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._waiting: deque[Letter] = deque()
        self._in_flight: OrderedDict[int, Letter] = OrderedDict()
        self._held = Held(limit)
        self._said_full: dict[str, float] = {}
        self._changed = threading.Condition()
        self.dropped = 0

    def put(self, letter: Letter) -> None:
        """Have it sent; at the limit the oldest goes."""
        with self._changed:
            if letter.key in self._held:
                gone = self._held.add(letter)
            else:
                gone = [self._waiting.popleft()] if len(self._waiting) >= self._limit else []
                self._waiting.append(letter)
        self._drop(gone)

    def take(self, number: int, window: int, now: float) -> Letter | None:
        """The next to send, in flight as `number` from now on; None when there is none, or `window` are in flight."""
        late: list[Letter] = []
        found = None
        with self._changed:
            if now >= self._held.next_due:
                self._waiting.extend(self._held.due(now))
            while self._waiting and len(self._in_flight) < window and found is None:
                letter = self._waiting.popleft()
                if letter.until is not None and letter.until <= now:
                    late.append(letter)
                else:
                    found = self._in_flight[number] = letter
            self._changed.notify_all()
        _settle(late, is_kept=False)
        return found

    def confirm(self, number: int, *, multiple: bool) -> None:
        """The broker has this one, or all up to it."""
        letters = self._settle(number, multiple=multiple)
        if self._held:
            with self._changed:
                for letter in letters:
                    self._held.taken(letter.key)
        _settle(letters, is_kept=True)

    def refuse(self, number: int, *, multiple: bool, now: float) -> None:
        """The broker could not take these, their queues being full: they are held, unless they cannot wait."""
        letters = self._settle(number, multiple=multiple)
        lost: list[Letter] = []
        with self._changed:
            for letter in reversed(letters):
                if letter.is_patient:
                    self._say_full(letter.key, now)
                    lost += self._held.refused(letter, now + PAUSE_S)
        self._drop(lost)
        _settle([letter for letter in letters if not letter.is_patient], is_kept=False)

    def held_until(self) -> float:
        """When something that is held is due, on the monotonic clock; infinity where nothing is."""
        with self._changed:
            return self._held.next_due

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
        _settle(letters, is_kept=False)
        return letters

    def wait_empty(self, timeout_s: float) -> bool:
        """Wait until the broker has everything; whether it has."""
        with self._changed:
            return self._changed.wait_for(lambda: not (self._waiting or self._in_flight or self._held), timeout_s)

    def counts(self) -> tuple[int, int]:
        """How many wait, those that are held included, and how many are in flight."""
        with self._changed:
            return len(self._waiting) + len(self._held), len(self._in_flight)

    def held(self) -> int:
        """How many wait because their queue is full."""
        with self._changed:
            return len(self._held)

    def is_through(self) -> bool:
        """Whether all has been sent and answered for, but for what is held."""
        with self._changed:
            return not self._waiting and not self._in_flight

    def _say_full(self, key: str, now: float) -> None:
        if now - self._said_full.get(key, float("-inf")) > _SAY_FULL_EVERY_S:
            self._said_full[key] = now
            _log.warning("a queue is full: what is for it waits here", queue=key)

    def _drop(self, letters: list[Letter]) -> None:
        for letter in letters:
            self.dropped += 1
            if self.dropped == 1 or self.dropped % 1000 == 0:
                _log.error("the outbox is full: messages are dropped, the oldest first", dropped=self.dropped)
            letter.done(False)

    def _settle(self, number: int, *, multiple: bool) -> list[Letter]:
        with self._changed:
            numbers = [one for one in self._in_flight if one <= number] if multiple else [number]
            letters = [letter for one in numbers if (letter := self._in_flight.pop(one, None)) is not None]
            self._changed.notify_all()
            return letters


def _settle(letters: list[Letter], *, is_kept: bool) -> None:
    for letter in letters:
        letter.done(is_kept)
