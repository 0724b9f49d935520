"""
A placement as it is shown: what was asked for, and each decision on it with what became of it.

Names of hosts are fields of their own, left out (UNSET) for callers who may not see them. The words name none.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import msgspec

from kilonova.api.framework import UNSET, Maybe, View
from kilonova.domain.boot import SchedulingRequest
from kilonova.domain.placement import Candidate, Choice, Explanation, FilterStep, Setback, told
from kilonova.store.queries.placements import Attempt


class WantedView(View):
    """What was asked for. RAM in MiB, disk in GiB; `host` is one that an administrator asked for by name."""

    flavor: str
    vcpus: int
    ram: int
    disk: int
    image: str | None
    availability_zone: str | None
    hints: dict[str, Any]
    extra_specs: dict[str, str]
    host: Maybe[str | None] = UNSET


class FilterView(View):
    """What one filter did: so many hosts came to it, so many it removed, and why."""

    name: str
    hosts: int
    removed: int
    reason: str | None


class CandidateView(View):
    """A host that could take it. `weighers` are the parts of the score that are not zero, those that tell most first."""

    zone: str
    score: float
    weighers: dict[str, float]
    host: Maybe[str] = UNSET


class MissView(View):
    """The host that came closest, and what it lacks."""

    lacks: str
    host: Maybe[str] = UNSET


class WinnerView(View):
    """The host that was claimed, or would be."""

    zone: str
    score: float
    host: Maybe[str] = UNSET


class PassedOverView(View):
    """A host named before the one that was claimed."""

    why: str
    host: Maybe[str] = UNSET


class SetbackView(View):
    """What failed after the host was chosen."""

    step: str
    message: str


class DecisionView(View):
    """One decision: `number` is the attempt of an action, or the server of several that are asked about."""

    number: int
    action: Maybe[str] = UNSET
    decided_at: Maybe[datetime] = UNSET
    message: str
    hosts: int
    left: int
    filters: list[FilterView]
    best: list[CandidateView]
    nearest_miss: MissView | None
    winner: WinnerView | None
    passed_over: list[PassedOverView]
    setback: SetbackView | None


class PlacementView(View):
    """
    All of it.

    `found`: the last decision found a host, and nothing failed there. `message` is what the server's fault says when that is
    for want of a host, word for word. `hosts`: of a question, where each server would go.
    """

    server_id: Maybe[str] = UNSET
    found: bool
    message: str
    request: WantedView | None
    decisions: list[DecisionView]
    hosts: Maybe[list[WinnerView]] = UNSET


_ACTIONS = {"boot": "create"}
"""The name that instance actions have for a saga's kind, where it is another."""


_NOT_KEPT = (
    "No decision on its place is kept: none was made yet, or it is older than [retention] actions_days and was purged."
)


class Showing:
    """Makes views; `with_names` for callers who may see which hosts there are."""

    def __init__(self, *, with_names: bool) -> None:
        self._with_names = with_names

    def kept(
        self, server_id: str, attempts: Sequence[Attempt], asked: SchedulingRequest | None = None
    ) -> PlacementView:
        """What was kept of a server's attempts; where none is, what its hosts are chosen by."""
        if not attempts:
            wanted = None if asked is None else self._wanted(asked)
            return PlacementView(server_id=server_id, found=False, message=_NOT_KEPT, request=wanted, decisions=[])
        last = attempts[-1]
        of_last_action = [one for one in attempts if one.saga_id == last.saga_id]
        return PlacementView(
            server_id=server_id, found=last.failed is None, message=_message(of_last_action),
            request=self._wanted(last.request), decisions=[self._attempt(one) for one in attempts],
        )  # fmt: skip

    def asked(self, request: SchedulingRequest, choices: Sequence[Choice], count: int) -> PlacementView:
        """What would become of `count` servers, of which the last of these choices may be a no."""
        return PlacementView(
            found=len(choices) == count and choices[-1].host is not None,
            message=choices[-1].explanation.sentence(), request=self._wanted(request),
            decisions=[self._decision(number, choice) for number, choice in enumerate(choices, start=1)],
            hosts=[winner for choice in choices if (winner := self._winner(choice)) is not None],
        )  # fmt: skip

    def _attempt(self, attempt: Attempt) -> DecisionView:
        view = self._decision(attempt.number, attempt.choice, attempt.setback)
        view.action, view.decided_at = _ACTIONS.get(attempt.kind, attempt.kind), attempt.at
        return view

    def _decision(self, number: int, choice: Choice, setback: Setback | None = None) -> DecisionView:
        why = choice.explanation
        return DecisionView(
            number=number, message=why.sentence(), hosts=why.hosts, left=why.left,
            filters=[_filter(step) for step in why.steps], best=[self._candidate(one) for one in why.best],
            nearest_miss=self._miss(why), winner=self._winner(choice),
            passed_over=[PassedOverView(why=one.why, host=self._name(one.host)) for one in choice.passed_over],
            setback=None if setback is None else SetbackView(step=setback.step, message=setback.message),
        )  # fmt: skip

    def _wanted(self, request: SchedulingRequest) -> WantedView:
        return WantedView(
            flavor=request.flavor_name, vcpus=request.vcpus, ram=request.ram_mib, disk=request.disk_gib,
            image=request.image_id, availability_zone=request.availability_zone, hints=dict(request.hints),
            extra_specs=request.extra_specs, host=self._name(request.forced_host),
        )  # fmt: skip

    def _candidate(self, one: Candidate) -> CandidateView:
        return CandidateView(zone=one.zone, score=round(one.score, 4), weighers=one.parts, host=self._name(one.host))

    def _miss(self, why: Explanation) -> MissView | None:
        miss = why.nearest_miss
        return None if miss is None else MissView(lacks=miss.lacks, host=self._name(miss.host))

    def _winner(self, choice: Choice) -> WinnerView | None:
        if choice.host is None:
            return None
        return WinnerView(zone=choice.zone or "", score=round(choice.score, 4), host=self._name(choice.host))

    def _name(self, name: Any) -> Any:
        return name if self._with_names else msgspec.UNSET


def _filter(step: FilterStep) -> FilterView:
    return FilterView(name=step.name, hosts=step.before, removed=step.removed, reason=step.reason or None)


def _message(attempts: Sequence[Attempt]) -> str:
    """The fault's words when the last attempt failed; else those of the decision that stands."""
    last = attempts[-1]
    if last.failed is None:
        return last.choice.explanation.sentence()
    return told([one.failed for one in attempts if one.failed is not None])
