"""A scheduling decision and its explanation: what the scheduler answers and what is kept of it."""

from __future__ import annotations

import msgspec


class FilterStep(msgspec.Struct, frozen=True, kw_only=True):
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


class Explanation(msgspec.Struct, frozen=True, kw_only=True):
    """Why a server landed where it did, or nowhere."""

    hosts: int
    steps: tuple[FilterStep, ...]
    best: tuple[Candidate, ...] = ()
    nearest_miss: NearestMiss | None = None

    def sentence(self) -> str:
        """The explanation in a sentence or two, for a fault: it may be read by tenants, so it names no host."""
        removed = [f"{s.name} removed {s.removed} of {s.before}: {s.reason}" for s in self.steps if s.removed]
        text = (
            f"No valid host was found. {self.hosts} hosts asked; " + "; ".join(removed or ["there are no hosts"]) + "."
        )
        if self.nearest_miss:
            text += f" The host that came closest lacks {self.nearest_miss.lacks}."
        return text

    def details(self) -> str:
        """The same for operators, with the host's name."""
        return f"Nearest miss: {self.nearest_miss.host}." if self.nearest_miss else ""


class Decision(msgspec.Struct, frozen=True, kw_only=True):
    """The hosts to try, best first (the first and its alternates); empty when none fits."""

    candidates: tuple[Candidate, ...]
    explanation: Explanation
