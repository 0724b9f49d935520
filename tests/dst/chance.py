"""Chance: one seeded generator, the odds of this world's faults, and a digest of what came of it."""

from __future__ import annotations

import hashlib
import random
from collections import Counter
from collections.abc import Sequence
from typing import TypeVar

import msgspec

T = TypeVar("T")


class Odds(msgspec.Struct, frozen=True, kw_only=True):
    """How often each kind of fault strikes, per occasion; those of `faults.py` are per world."""

    lose: float = 0.0  # a message
    double: float = 0.0
    delay: float = 0.0  # for seconds rather than milliseconds
    store_fails: float = 0.0  # a transaction, before its commit
    store_unknown: float = 0.0  # a transaction, after its commit
    pause: float = 0.0  # where a process could be paused
    crash_write: float = 0.0  # at a line of a journal, before or after its commit
    crash_send: float = 0.0  # between a commit and what is sent after it
    spawn_fails: float = 0.0  # a machine cannot be made, and another host could
    strikes: tuple[str, ...] = ()  # kinds of `faults.py`

    @classmethod
    def none(cls) -> Odds:
        """All is well."""
        return cls()


_MOST = {
    "lose": 0.08, "double": 0.15, "delay": 0.1, "store_fails": 0.03, "store_unknown": 0.03, "pause": 0.05,
    "crash_write": 0.03, "crash_send": 0.03, "spawn_fails": 0.5,
}  # fmt: skip
STRIKES = ("crash", "cut", "power", "skew", "agent")


class Chance:
    """Every choice of a world. `faults` counts what struck, by kind; `undeclared` is what was raised that must not be."""

    def __init__(self, seed: int, *, trace: list[str] | None = None) -> None:
        self.rng = random.Random(seed)
        self.faults: Counter[str] = Counter()
        self.undeclared: list[str] = []
        self.trace = trace
        self._digest = hashlib.blake2b(digest_size=16)

    def odds(self) -> Odds:
        """Some kinds of faults and not others: a world with all of them hides what a few would show."""
        rates = {kind: most * self.rng.random() for kind, most in _MOST.items() if self.rng.random() < 0.4}
        strikes = tuple(kind for kind in STRIKES if self.rng.random() < 0.4)
        return Odds(**rates, strikes=strikes)

    def happens(self, probability: float, kind: str = "") -> bool:
        """Whether it does this time; counted as a fault when it has a kind."""
        if probability <= 0 or self.rng.random() >= probability:
            return False
        if kind:
            self.strike(kind)
        return True

    def strike(self, kind: str, *what: object) -> None:
        """Count a fault."""
        self.faults[kind] += 1
        self.note("fault", kind, *what)

    def raised(self, where: str, what: str, error: Exception, declared: tuple[type[Exception], ...]) -> None:
        """Note an exception at the edge of a thread; one that nobody declared is remembered."""
        self.note(where, what, type(error).__name__)
        if not isinstance(error, declared):
            self.undeclared.append(f"{where} {what}: {type(error).__name__}: {error}")

    def between(self, low: float, high: float) -> float:
        return low + (high - low) * self.rng.random()

    def pick(self, of: Sequence[T]) -> T:
        return of[self.rng.randrange(len(of))]

    def note(self, *words: object) -> None:
        """One more line of the history."""
        line = " ".join(map(str, words))
        self._digest.update(line.encode() + b"\n")
        if self.trace is not None:
            self.trace.append(line)

    def digest(self) -> str:
        """What tells this history from every other."""
        return self._digest.hexdigest()
