"""Columns: one numpy array per fact, one entry per host, all in the same order."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray

Ints: TypeAlias = NDArray[np.int64]
Floats: TypeAlias = NDArray[np.float64]
Bools: TypeAlias = NDArray[np.bool_]
Positions: TypeAlias = NDArray[np.intp]  # places in a column, not a column

Value = TypeVar("Value")


@dataclass(frozen=True, slots=True)
class Coded(Generic[Value]):
    """A column of few distinct values: each is kept once, and a question is put to it once, however many hosts share it."""

    values: tuple[Value, ...]
    codes: Positions  # per host, the place of its value in `values`

    def where(self, test: Callable[[Value], bool]) -> Bools:
        """The hosts whose value passes `test`."""
        verdicts = np.fromiter((test(value) for value in self.values), np.bool_, len(self.values))
        return verdicts[self.codes]

    def figures(self, of: Callable[[Value], float]) -> Floats:
        """A figure of each host's value."""
        found: Floats = np.fromiter((of(value) for value in self.values), np.float64, len(self.values))[self.codes]
        return found

    def at(self, host: int) -> Value:
        """One host's value."""
        return self.values[int(self.codes[host])]

    def among(self, hosts: Positions) -> list[Value]:
        """The distinct values of some hosts."""
        return [self.values[code] for code in np.unique(self.codes[hosts]).tolist()]


def coded(pairs: Iterable[tuple[Hashable, Value]]) -> Coded[Value]:
    """A column from (key, value) of each host; values of one key are taken for the same."""
    codes: dict[Hashable, int] = {}
    values: list[Value] = []
    column: list[int] = []
    for key, value in pairs:
        code = codes.setdefault(key, len(values))
        if code == len(values):
            values.append(value)
        column.append(code)
    return Coded(values=tuple(values), codes=np.array(column, np.intp))


@dataclass(frozen=True, slots=True)
class Bits:
    """A column of sets of names: a bit a name, in as many words a host as the names need."""

    places: dict[str, int]  # each name's bit
    words: NDArray[np.uint64]  # [words, hosts]

    def has(self, name: str) -> Bools:
        """The hosts whose set has `name`."""
        place = self.places.get(name)
        if place is None:
            return np.zeros(self.words.shape[1], np.bool_)
        found: Bools = (self.words[place // 64] & np.uint64(1 << place % 64)) != 0
        return found


def bits(hosts: int, sets: Iterable[tuple[str, Sequence[int]]]) -> Bits:
    """A column from (name, the places of the hosts that have it)."""
    held = [(name, places) for name, places in sets if len(places)]
    words = np.zeros((len(held) // 64 + 1, hosts), np.uint64)
    for bit, (_, places) in enumerate(held):
        words[bit // 64, np.asarray(places, np.intp)] |= np.uint64(1 << bit % 64)
    return Bits({name: bit for bit, (name, _) in enumerate(held)}, words)
