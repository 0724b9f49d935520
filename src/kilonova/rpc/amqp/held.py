"""
What waits because its queue at the broker is full, queue by queue.

A queue has a bound (`bounds.py`), and the broker refuses what would go over it. What is for that queue is *held* here: every
PAUSE a few of it are tried, and as soon as one is taken the next few go, so that it empties as fast as the queue does. What is
for other queues goes on meanwhile: a host that is dead, and whose commands nobody takes, must not hold up those of others.

Of what is held the newest word about a *subject* is kept and the older ones go: how far a boot has come, what runs on a host.
What has no subject (the end of a command) is kept, up to a bound for each queue and one for all, where the oldest of the longest
goes: that one is lost, as with an outbox that is full.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator

from kilonova.rpc.amqp.letter import Letter

PAUSE_S = 1.0
_TRIED = 50  # in one go


class Held:
    """Not for many threads: the outbox locks. `most` letters in all, a tenth of it for one queue."""

    def __init__(self, most: int) -> None:
        self._most, self._most_of_one = most, max(1, most // 10)
        self._queues: dict[str, OrderedDict[str, Letter]] = {}  # a key's letters by their subject, the oldest first
        self._due: dict[str, float] = {}
        self._count = self._number = 0
        self.next_due = float("inf")

    def __len__(self) -> int:
        return self._count

    def __contains__(self, key: str) -> bool:
        return key in self._queues

    def add(self, letter: Letter) -> list[Letter]:
        """Hold what is newer than all that is held for its queue; what is lost by it."""
        letters = self._queues[letter.key]
        older = letters.pop(letter.subject, None) if letter.subject else None
        letters[self._name(letter)] = letter
        self._count += older is None
        return self._bounded(letter.key)

    def refused(self, letter: Letter, again_at: float) -> list[Letter]:
        """Hold what the broker refused, which is older than all that is held; what is lost by it."""
        letters = self._queues.setdefault(letter.key, OrderedDict())
        self._due[letter.key] = again_at
        self.next_due = min(self._due.values())
        if letter.subject and letter.subject in letters:
            return []
        name = self._name(letter)
        letters[name] = letter
        letters.move_to_end(name, last=False)
        self._count += 1
        return self._bounded(letter.key)

    def taken(self, key: str) -> None:
        """The broker took one for this queue: there is room again."""
        if key in self._due:
            self._due[key] = self.next_due = float("-inf")

    def due(self, now: float) -> Iterator[Letter]:
        """Let go of what is to be tried by now, the oldest first."""
        for key in [key for key, due in self._due.items() if due <= now]:
            letters = self._queues[key]
            for _ in range(min(_TRIED, len(letters))):
                self._count -= 1
                yield letters.popitem(last=False)[1]
            if letters:
                self._due[key] = now + PAUSE_S
            else:
                del self._queues[key], self._due[key]
        self.next_due = min(self._due.values(), default=float("inf"))

    def _name(self, letter: Letter) -> str:
        self._number += 1
        return letter.subject or f"#{self._number}"

    def _bounded(self, key: str) -> list[Letter]:
        if len(self._queues[key]) > self._most_of_one:
            full = self._queues[key]
        elif self._count > self._most:
            full = max(self._queues.values(), key=len)
        else:
            return []
        self._count -= 1
        return [full.popitem(last=False)[1]]
