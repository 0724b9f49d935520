from __future__ import annotations

from datetime import UTC, datetime

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kilonova.conductor.kernel.definition import Definition, Failure, Step
from kilonova.conductor.kernel.position import (
    Again,
    CorruptJournal,
    Do,
    End,
    Fail,
    Position,
    StartUndo,
    Undo,
    advance,
    decide,
    fold,
)
from kilonova.domain.saga import Event, JournalEvent, SagaStatus, may_follow

NOW = datetime(2026, 1, 1, tzinfo=UTC)


class One(Step):
    name = "one"
    result = int


class Two(Step):
    name = "two"


class Three(Step):
    name = "three"


class NoParams(msgspec.Struct):
    pass


def saga(*, point_of_no_return: type[Step] | None = None, attempts: int = 3) -> Definition:
    return Definition(
        kind="test", params=NoParams, steps=(One(), Two(), Three()), at_end=lambda *_: None,
        point_of_no_return=point_of_no_return, attempts=attempts,
    )  # fmt: skip


def journal(*lines: tuple[Event, str | None, object]) -> list[JournalEvent]:
    return [
        JournalEvent(seq=i, event=event, at=NOW, attempt=1, step=step, result=msgspec.Raw(msgspec.json.encode(result)))
        for i, (event, step, result) in enumerate(lines)
    ]


BEGUN = (Event.STARTED, None, None)
DONE_ONE = (Event.STEP_DONE, "one", 7)


def failed(step: str, **more: object) -> tuple[Event, str, Failure]:
    return (Event.STEP_FAILED, step, Failure(message="no", **more))  # type: ignore[arg-type]


def next_of(definition: Definition, *lines: tuple[Event, str | None, object], cancel: bool = False) -> object:
    return decide(definition, fold(definition, journal(*lines)), cancel=cancel)


def test_a_new_saga_does_its_first_step() -> None:
    definition = saga()
    assert next_of(definition, BEGUN) == Do(definition.steps[0])


def test_a_step_done_leads_to_the_next_and_its_result_is_kept_with_its_type() -> None:
    definition = saga()
    position = fold(definition, journal(BEGUN, DONE_ONE))
    assert position.results == {"one": 7}
    assert decide(definition, position, cancel=False) == Do(definition.steps[1])


def test_all_steps_done_is_the_end() -> None:
    lines = (BEGUN, DONE_ONE, (Event.STEP_DONE, "two", None), (Event.STEP_DONE, "three", None))
    assert next_of(saga(), *lines) == End(SagaStatus.DONE)


def test_a_failure_undoes_the_failed_step_and_those_before_it_last_first() -> None:
    definition = saga()
    lines = [BEGUN, DONE_ONE, failed("two")]
    assert next_of(definition, *lines) == StartUndo()
    lines.append((Event.UNDO_STARTED, None, None))
    assert next_of(definition, *lines) == Undo(definition.steps[1])
    lines.append((Event.UNDO_DONE, "two", None))
    assert next_of(definition, *lines) == Undo(definition.steps[0])
    lines.append((Event.UNDO_DONE, "one", None))
    assert next_of(definition, *lines) == End(SagaStatus.FAILED)


def undone(failure: tuple[Event, str | None, object]) -> list[tuple[Event, str | None, object]]:
    return [BEGUN, failure, (Event.UNDO_STARTED, None, None), (Event.UNDO_DONE, "one", None)]


def test_a_failure_curable_elsewhere_starts_again_and_remembers_the_host() -> None:
    definition = saga()
    lines = undone(failed("one", elsewhere=True, host="h1"))
    assert next_of(definition, *lines) == Again(2)
    again = JournalEvent(seq=4, event=Event.STARTED, at=NOW, attempt=2)
    position = advance(definition, fold(definition, journal(*lines)), again)
    assert (position.attempt, position.failed_hosts, position.results) == (2, ("h1",), {})
    assert [failure.host for failure in position.failures] == ["h1"]


def test_the_last_attempt_is_the_last() -> None:
    assert next_of(saga(attempts=1), *undone(failed("one", elsewhere=True))) == End(SagaStatus.FAILED)


def test_a_cancel_while_undoing_forgoes_another_attempt() -> None:
    assert next_of(saga(), *undone(failed("one", elsewhere=True)), cancel=True) == End(SagaStatus.CANCELLED)


def test_a_cancel_is_a_failure_between_two_steps() -> None:
    decision = next_of(saga(), BEGUN, DONE_ONE, cancel=True)
    assert isinstance(decision, Fail)
    assert decision.failure.cancelled


def test_a_cancel_comes_too_late_after_the_last_step_and_never_for_who_only_goes_forward() -> None:
    lines = (BEGUN, DONE_ONE, (Event.STEP_DONE, "two", None), (Event.STEP_DONE, "three", None))
    assert next_of(saga(), *lines, cancel=True) == End(SagaStatus.DONE)
    definition = saga(point_of_no_return=One)
    assert next_of(definition, BEGUN, cancel=True) == Do(definition.steps[0])


def test_a_saga_is_undone_before_its_point_of_no_return_and_never_after() -> None:
    definition = saga(point_of_no_return=Two)
    assert isinstance(next_of(definition, BEGUN, cancel=True), Fail)
    assert next_of(definition, BEGUN, DONE_ONE, cancel=True) == Do(definition.steps[1])
    assert [definition.may_fail_at(step) for step in range(4)] == [True, False, False, False]


@given(st.lists(st.sampled_from(Event), max_size=12))
def test_a_journal_is_read_exactly_when_each_event_may_follow_the_last(kinds: list[Event]) -> None:
    definition = saga()
    legal = all(may_follow(last, new) for last, new in zip([None, *kinds], kinds, strict=False))
    lines = [
        (kind, "two" if kind in (Event.STEP_DONE, Event.UNDO_DONE) else None,
         Failure(message="no") if kind is Event.STEP_FAILED else None)
        for kind in kinds
    ]  # fmt: skip
    if legal:
        position = fold(definition, journal(*lines))
        assert position.seq == len(kinds)
    else:
        with pytest.raises(CorruptJournal):
            fold(definition, journal(*lines))


def test_an_empty_journal_is_a_saga_not_begun() -> None:
    assert fold(saga(), []) == Position()
