"""
A scheduling decision and its explanation: what the scheduler answers, what is kept of it, and the words for both.

The words are made here and nowhere else, so a server's fault, the API and the command line say the same. They may be read by
tenants: they name no host. Names are in fields of their own, which the rim shows to those who may see them.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

_KEPT_BEST = 3
_TOLD_PARTS = 3


class FilterStep(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What one filter did: how many hosts came in, how many it removed, and why in words."""

    name: str
    before: int
    removed: int
    reason: str = ""


class Candidate(msgspec.Struct, frozen=True, kw_only=True):
    """A host that passed, with its total score, the parts by weigher, and the generation it was judged at."""

    host_id: str
    host: str
    node: str
    zone: str
    generation: int
    score: float
    parts: dict[str, float] = {}


class NearestMiss(msgspec.Struct, frozen=True, kw_only=True):
    """The host that came closest, and the smallest change that would have made it fit."""

    host: str
    lacks: str


class Explanation(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Why a server landed where it did, or nowhere."""

    hosts: int
    steps: tuple[FilterStep, ...]
    best: tuple[Candidate, ...] = ()
    nearest_miss: NearestMiss | None = None

    @property
    def left(self) -> int:
        """How many hosts no filter removed."""
        return self.hosts - sum(step.removed for step in self.steps)

    def sentence(self) -> str:
        """The explanation in a few sentences, for a fault or a page: it may be read by tenants, so it names no host."""
        text = f"{_counted(self.hosts, 'host')} asked; {'; '.join(self._removals())}."
        if not self.best:
            miss = self.nearest_miss
            closest = f" The host that came closest lacks {miss.lacks}." if miss else ""
            return f"No valid host was found. {text}{closest}"
        first = self.best[0]
        made_of = ", ".join(f"{name} {part:+.2f}" for name, part in _largest(first.parts)[:_TOLD_PARTS])
        score = f"The first choice scored {first.score:.2f}" + (f" ({made_of})." if made_of else ".")
        return f"A host was found. {text} {self.left} could take it. {score}"

    def details(self) -> str:
        """The same for operators, with the host's name."""
        return f"Nearest miss: {self.nearest_miss.host}." if self.nearest_miss else ""

    def for_keeping(self) -> Explanation:
        """This with the few best hosts alone, and of each only what told between them."""
        best = tuple(
            msgspec.structs.replace(one, parts={name: round(part, 4) for name, part in _largest(one.parts)})
            for one in self.best[:_KEPT_BEST]
        )
        return msgspec.structs.replace(self, best=best)

    def _removals(self) -> list[str]:
        if not self.hosts:
            return ["there are no hosts"]
        told = [f"{s.name} removed {s.removed} of {s.before}: {s.reason}" for s in self.steps if s.removed]
        return told or ["no filter removed any"]


class Decision(msgspec.Struct, frozen=True, kw_only=True):
    """The hosts to try, best first (the first and its alternates); empty when none fits."""

    candidates: tuple[Candidate, ...]
    explanation: Explanation


class PassedOver(msgspec.Struct, frozen=True, kw_only=True):
    """A candidate that was not taken at the claim, though the scheduler named it before the one that was."""

    host: str
    why: str


class Choice(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What the journal keeps of a decision: why, and what came of it at the claim. `host` None: nothing was claimed."""

    explanation: Explanation
    host: str | None = None
    zone: str | None = None
    score: float = 0.0
    passed_over: tuple[PassedOver, ...] = ()


class Setback(msgspec.Struct, frozen=True, kw_only=True):
    """Why an attempt came to nothing after its host was chosen: the step, and that step's or the host's own words."""

    step: str
    message: str


def told(reasons: Sequence[str]) -> str:
    """What a server's fault says after these attempts, each with its reason: the last one's first, then those before."""
    *before, last = reasons
    earlier = [f"Attempt {number} failed: {reason.rstrip('.')}." for number, reason in enumerate(before, start=1)]
    return " ".join([last, *earlier])


def _largest(parts: dict[str, float]) -> list[tuple[str, float]]:
    """The parts that are not nothing, those that tell most first."""
    return sorted(((n, part) for n, part in parts.items() if part), key=lambda named: (-abs(named[1]), named[0]))


def _counted(count: int, thing: str) -> str:
    return f"{count} {thing}" if count == 1 else f"{count} {thing}s"
