"""Columns: one numpy array per fact, one entry per host, all in the same order."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable
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
