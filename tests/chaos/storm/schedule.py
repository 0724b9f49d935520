"""
The faults of a storm, as a pure function of its seed.

Kinds are drawn from a bag that holds each as often as its weight says and is filled again when it is empty, so that even a short
storm has some of each. What is struck is left alone until it has had time to come back: storms are about recovery, and what is
down all the time has nothing to recover. Different targets are struck at the same time as chance has it.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from typing import NamedTuple

COMES_BACK_S = 6.0
_STAGES = ("image", "disks", "network", "domain")
_LINES = {"boot": 6, "delete": 5}  # the last line of each journal


class Kind(NamedTuple):
    """A kind of fault: how often it is in the bag, what it strikes, and how long that stays away, in seconds."""

    name: str
    weight: int
    targets: tuple[str, ...]
    lasts_s: tuple[float, float]


KINDS = (
    Kind("kill", 8, ("api", "conductor", "scheduler", "agent"), (0.2, 3.0)),
    Kind("mid_spawn", 3, ("agent",), (3.0, 6.0)),  # the agent dies at a stage of making a machine
    Kind("mid_saga", 3, ("conductor",), (3.0, 6.0)),  # the conductor dies at a line of a journal
    Kind("two_owners", 3, ("conductor",), (6.0, 9.0)),  # stopped until others have its sagas, and then it goes on
    Kind("hang", 2, ("api", "scheduler"), (1.0, 4.0)),
    Kind("cut_off", 3, ("host",), (2.0, 10.0)),
    Kind("rabbitmq", 1, ("rabbitmq",), (0.2, 3.0)),
    Kind("postgresql", 1, ("postgresql",), (0.2, 3.0)),
)
LOST_HOST = Kind("lost_host", 0, ("host",), (62.0, 72.0))  # cut off until it counts as down
_LOST_EVERY = 50


class Strike(NamedTuple):
    """One fault. `at_s` is since the storm began; `fuse` is the point at which a process is to end itself, "" for none."""

    at_s: float
    kind: str
    target: str
    for_s: float
    fuse: str = ""

    def __str__(self) -> str:
        return f"{self.at_s:.2f} s: {self.kind} {self.target} for {self.for_s:.2f} s {self.fuse}".rstrip()


def schedule(
    seed: int, count: int, every_s: float, targets: Mapping[str, Sequence[str]], comes_back_s: float = COMES_BACK_S
) -> list[Strike]:
    """
    `count` strikes, one about every `every_s` seconds, on `targets`: names by what they are.

    What is struck is not struck again for `comes_back_s` seconds after it could begin to come back.
    """
    chance = random.Random(f"storm/{seed}")
    free_at: dict[str, float] = {}
    bag: list[Kind] = []
    strikes: list[Strike] = []
    now = 0.0
    while len(strikes) < count:
        if not bag:
            bag = [kind for kind in KINDS for _ in range(kind.weight) if _of(kind, targets)]
            chance.shuffle(bag)
        kind = LOST_HOST if len(strikes) % _LOST_EVERY == _LOST_EVERY // 2 and count > _LOST_EVERY else bag.pop()
        now = max(now + every_s * chance.uniform(0.5, 1.5), min(free_at.get(one, 0.0) for one in _of(kind, targets)))
        target = chance.choice([one for one in _of(kind, targets) if free_at.get(one, 0.0) <= now])
        for_s = chance.uniform(*kind.lasts_s)
        free_at[target] = now + for_s + comes_back_s
        strikes.append(Strike(round(now, 2), kind.name, target, round(for_s, 2), _fuse(kind, chance)))
    return strikes


def _of(kind: Kind, targets: Mapping[str, Sequence[str]]) -> list[str]:
    return [name for what in kind.targets for name in targets.get(what, ())]


def _fuse(kind: Kind, chance: random.Random) -> str:
    if kind.name == "mid_spawn":
        return f"kill:stage:{chance.choice(_STAGES)}"
    if kind.name == "mid_saga":
        saga = chance.choice(sorted(_LINES))
        return f"kill:journal:{saga}:{chance.randint(1, _LINES[saga])}:{chance.choice(('before', 'after'))}"
    return ""
