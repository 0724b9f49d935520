"""
Where a saga stands, and what comes next. Pure: journal in, decision out.

    journal ──fold──► Position ──decide──► Do(step) | Undo(step) | Fail | StartUndo | Again(attempt) | End(status)

Recovery is nothing else: the runner of a fresh process folds the journal and goes on.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Any

import msgspec

from kilonova.conductor.kernel.definition import Definition, Failure, Step
from kilonova.domain.saga import Event, JournalEvent, SagaStatus, may_follow

_FAILURE = msgspec.json.Decoder(Failure)


class CorruptJournal(Exception):
    """A journal's events are in an order that cannot be. Never seen unless somebody edits the tables."""


@dataclass(frozen=True)
class Position:
    """A saga's standing after some events of its journal."""

    last: JournalEvent | None = None
    attempt: int = 1
    next_step: int = 0  # index of the step to do
    results: dict[str, Any] = field(default_factory=dict)
    failure: Failure | None = None
    to_undo: tuple[str, ...] = ()  # in the order of undoing
    undoing: bool = False
    failures: tuple[Failure, ...] = ()  # of every attempt so far

    @property
    def failed_hosts(self) -> tuple[str, ...]:
        """The hosts that failed attempts were on, as far as it was the host that failed."""
        return tuple(failure.host for failure in self.failures if failure.host)

    @property
    def seq(self) -> int:
        """The number of the next event."""
        return 0 if self.last is None else self.last.seq + 1


@dataclass(frozen=True)
class Do:
    """Do this step."""

    step: Step[Any, Any]


@dataclass(frozen=True)
class Undo:
    """Undo this step."""

    step: Step[Any, Any]


@dataclass(frozen=True)
class Fail:
    """Write down that the saga was told to stop."""

    failure: Failure


@dataclass(frozen=True)
class StartUndo:
    """Begin to undo."""


@dataclass(frozen=True)
class Again:
    """All is undone, and another host could cure the failure: start attempt `attempt` from the first step."""

    attempt: int


@dataclass(frozen=True)
class End:
    """It is over."""

    status: SagaStatus


Next = Do | Undo | Fail | StartUndo | Again | End

_CANCELLED = Failure(message="The request was cancelled: what it was about is being deleted.", code=409, cancelled=True)


def fold(definition: Definition[Any], events: Iterable[JournalEvent]) -> Position:
    """The position after these events. Raises CorruptJournal."""
    position = Position()
    for event in events:
        position = advance(definition, position, event)
    return position


def advance(definition: Definition[Any], at: Position, event: JournalEvent) -> Position:
    """The position after one more event. Raises CorruptJournal when it may not follow the last."""
    if not may_follow(None if at.last is None else at.last.event, event.event):
        raise CorruptJournal(f"{event.event} after {at.last}")
    match event.event:
        case Event.STARTED:
            return Position(last=event, attempt=event.attempt, failures=at.failures)
        case Event.STEP_DONE:
            step = definition.steps[definition.index[str(event.step)]]
            result = definition.result_decoders[step.name].decode(event.result)
            return replace(at, last=event, next_step=at.next_step + 1, results={**at.results, step.name: result})
        case Event.STEP_FAILED:
            failure = _FAILURE.decode(event.result)
            return replace(at, last=event, failure=failure, failures=(*at.failures, failure))
        case Event.UNDO_STARTED:
            return replace(at, last=event, undoing=True, to_undo=_undo_order(definition, at))
        case Event.UNDO_DONE:
            return replace(at, last=event, to_undo=tuple(name for name in at.to_undo if name != event.step))
        case Event.FINISHED:
            return replace(at, last=event)


def decide(definition: Definition[Any], at: Position, *, cancel: bool) -> Next:
    """What comes next for a saga at this position, told to stop or not."""
    if at.failure is not None:
        return _decide_undo(definition, at, cancel=cancel)
    if at.next_step >= len(definition.steps):
        return End(SagaStatus.DONE)
    if cancel and definition.may_fail_at(at.next_step):
        return Fail(_CANCELLED)
    return Do(definition.steps[at.next_step])


def _decide_undo(definition: Definition[Any], at: Position, *, cancel: bool) -> Next:
    assert at.failure is not None  # noqa: S101 - for the type checker; the only caller has looked
    if not at.undoing:
        return StartUndo()
    if at.to_undo:
        return Undo(definition.steps[definition.index[at.to_undo[0]]])
    if at.failure.elsewhere and not cancel and at.attempt < definition.attempts:
        return Again(at.attempt + 1)
    return End(SagaStatus.CANCELLED if at.failure.cancelled or cancel else SagaStatus.FAILED)


def _undo_order(definition: Definition[Any], at: Position) -> tuple[str, ...]:
    """The failed step (it may be half done) and those before it, last first."""
    return tuple(step.name for step in reversed(definition.steps[: at.next_step + 1]))
