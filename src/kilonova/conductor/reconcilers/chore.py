"""Housekeeping as a reconciler: something to be done now and then, that does nothing when there is nothing to do."""

from __future__ import annotations

from collections.abc import Callable


class Chore:
    """Calls `work`, which returns counts of what it did."""

    def __init__(self, name: str, period_s: float, work: Callable[[], dict[str, int]]) -> None:
        self.name, self.period_s, self._work = name, period_s, work

    def activate(self) -> dict[str, int]:
        """Do it."""
        return self._work()
