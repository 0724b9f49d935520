"""
Policies to compare: each is settings of the real scheduler, by name.

First fit is the one that settings cannot say, for it is no quality of a host to be early: a weigher of the same protocol says it,
over the order of the fleet's description.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from kilonova.domain.boot import SchedulingRequest
from kilonova.domain.errors import Rejected
from kilonova.scheduler.columns import Floats
from kilonova.scheduler.fleet import Fleet, Roster
from kilonova.scheduler.plugin import Weigher
from kilonova.scheduler.plugins import profile_of
from kilonova.scheduler.ranking import Profile
from kilonova.scheduler.settings import SchedulerSettings


class EarlierWeigher(Weigher):
    """Prefers hosts that come earlier in a fleet."""

    name: ClassVar = "EarlierWeigher"

    def __init__(self, roster: Roster) -> None:
        self._places = roster.by_id

    def score(self, fleet: Fleet, request: SchedulingRequest) -> Floats:
        figures: Floats = -np.array([self._places[host_id] for host_id in fleet.roster.ids], np.float64)
        return figures


@dataclass(frozen=True, slots=True)
class Policy:
    """How a scheduler is set up, under a name."""

    name: str
    about: str
    settings: SchedulerSettings
    in_order: bool = False

    def profile(self, roster: Roster) -> Profile:
        """What decisions over these hosts are made with. Raises Rejected for weighers that are not there."""
        profile = profile_of(self.settings)
        return replace(profile, weighers=((EarlierWeigher(roster), 1.0),)) if self.in_order else profile

    @property
    def weighers(self) -> dict[str, float]:
        """The weighers that count, with their multipliers."""
        if self.in_order:
            return {EarlierWeigher.name: 1.0}
        return {name: by for name, by in self.settings.mixture.items() if by}


_TIGHT = {"RAMWeigher": -1.0, "CPUWeigher": -1.0, "DiskWeigher": -1.0}
_FEWEST = {"NumInstancesWeigher": -1.0}
COMPARED = ("first-fit", "best-fit", "spread", "ours")
BUILT_IN = {
    policy.name: policy
    for policy in (
        Policy(
            "first-fit", "the earliest host that fits", SchedulerSettings(weighers={}, near_best=0.0), in_order=True
        ),
        Policy("best-fit", "the host with the least left", SchedulerSettings(weighers=_TIGHT, near_best=0.0)),
        Policy("spread", "the host with the fewest servers", SchedulerSettings(weighers=_FEWEST, near_best=0.0)),
        Policy("ours", "a scheduler as it is set up when nothing is said", SchedulerSettings()),
        Policy("packing", "the profile packing", SchedulerSettings(profile="packing")),
        Policy("spreading", "the profile spreading", SchedulerSettings(profile="spreading")),
    )
}


def parse_policy(text: str) -> Policy:
    """
    A policy by name, or one that is spelt out: `mine=RAMWeigher:-1,CPUWeigher:0.5,near_best:0`.

    Raises Rejected for an unknown name and for what is no multiplier.
    """
    name, spelt, parts = text.partition("=")
    if not spelt:
        if name not in BUILT_IN:
            raise Rejected(
                f"There is no policy {name!r}.",
                next_step=f"Choose from {', '.join(BUILT_IN)}; or spell one out: mine=RAMWeigher:-1,CPUWeigher:-1",
            )
        return BUILT_IN[name]
    try:
        said = {key.strip(): float(value) for key, value in (part.split(":") for part in parts.split(","))}
    except ValueError:
        raise Rejected(
            f"The policy {text!r} is not of the form NAME=WEIGHER:MULTIPLIER,...",
            next_step="For example: mine=RAMWeigher:-1,CPUWeigher:-1,near_best:0",
        ) from None
    near_best = said.pop("near_best", SchedulerSettings().near_best)
    settings = SchedulerSettings(weighers=said, near_best=near_best)
    profile_of(settings)
    return Policy(name, "spelt out by who asked", settings)
