"""Where the process is killed, by saga. Several servers are under way at each kill, so each covers steps near it as well."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass

SAGAS = ("boot", "delete", "undo")
_KIND = {"boot": "boot", "delete": "delete", "undo": "boot"}
# The last line of each journal; line 0 is written by the request itself, whose end is the cast of SagaReady.
_LAST_LINE = {"boot": 6, "delete": 5, "undo": 10}
_CASTS = {
    "boot": ("SagaReady", "EnsureServer", "Report"),
    "delete": ("SagaReady", "RemoveServer", "Report"),
    "undo": ("Report", "RemoveServer"),
}
_STAGES = {"boot": ("image", "disks", "network", "domain"), "delete": (), "undo": ("network",)}
# Moments that only chance finds: within what a host does for one command.
_BY_CHANCE = {"boot": "cast:EnsureServer", "delete": "cast:RemoveServer", "undo": "cast:RemoveServer"}
_CHANCES = 3


@dataclass(frozen=True)
class Point:
    """`outage`: the cloud stays away so long that nobody has heard of its hosts lately."""

    name: str
    outage: bool = False

    @property
    def fault(self) -> str:
        """As the process is told of it."""
        return f"kill:{self.name.removesuffix(' outage')}"


def points(saga: str, seed: int = 0) -> Iterator[Point]:
    """Every point of a saga, in order."""
    for cast in _CASTS[saga]:
        yield Point(f"cast:{cast}")
    for stage in _STAGES[saga]:
        yield Point(f"stage:{stage}")
    for line in range(1, _LAST_LINE[saga] + 1):
        for when in ("before", "after"):
            yield Point(f"journal:{_KIND[saga]}:{line}:{when}")
    chance = random.Random(f"{seed}/{saga}")
    for _ in range(_CHANCES):
        yield Point(f"{_BY_CHANCE[saga]}+{chance.uniform(0.01, 0.5):.3f}")
    yield Point(f"journal:{_KIND[saga]}:1:before outage", outage=True)
    yield Point(f"{_BY_CHANCE[saga]} outage", outage=True)
