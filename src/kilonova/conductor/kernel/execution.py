"""
Carrying out one saga, from the lease to the point where it parks or ends.

`decide` says what comes next; doing that, with its line in the journal, is a turn. A *burst* is as many turns as follow each
other without leaving the database: they share one transaction, with one look at the lease and one commit, so a saga costs as many
transactions as it has waits, not as it has steps. A burst ends where the saga parks or ends, and before a step that must prepare
something outside a transaction.

A turn that raises rolls its burst back, which is as if the process had died before it. The turns before it are then done again
without it, so that it is the first of its own burst when it raises again: then what it raised is journaled as its failure, or
leaves the saga to be taken again later (a bug, a database failure), which delays that saga and no other. After `_BUGS` such
times in a row the step is journaled as failed, rather than tried for ever. A burst that the database ended in favour of another
transaction is done again at once.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import msgspec
import structlog

from kilonova.conductor.kernel.definition import Await, Definition, Failure, Run, Step, StepFailed, TryAgain
from kilonova.conductor.kernel.position import (
    Again,
    Do,
    End,
    Fail,
    Next,
    Position,
    StartUndo,
    Undo,
    advance,
    decide,
    fold,
)
from kilonova.domain.errors import KilonovaError
from kilonova.domain.report import Outcome
from kilonova.domain.saga import Event, JournalEvent, Saga, SagaStatus
from kilonova.runtime import Runtime
from kilonova.store.again import until_done
from kilonova.store.away import TransactionConflict
from kilonova.store.database import Tx
from kilonova.store.queries import saga_leases

_log = structlog.get_logger(__name__)

_OUTCOME = msgspec.json.Decoder(Outcome)
_MOST_TURNS = 100  # more than any saga has

# Told of every journal event: (saga, event, "before" | "after" its commit). Fault tests end the process here.
OnJournal = Callable[[Saga, JournalEvent, str], None]


@dataclass(frozen=True)
class Kernel:
    """What every execution needs."""

    runtime: Runtime
    wake: Callable[[str, str | None], None]  # a saga, of a project, became ready
    on_journal: OnJournal


class Execution:
    """One saga under lease, with the journal it has so far."""

    def __init__(
        self, kernel: Kernel, definition: Definition[Any], saga: Saga, journal: Sequence[JournalEvent]
    ) -> None:
        self._kernel = kernel
        self._definition = definition
        self._saga = saga
        self._params = definition.params_decoder.decode(saga.params)
        self._cancel = saga.cancel
        # A reply is for the command the saga was parked on, and is used once.
        self._reply = None if saga.reply is None else _OUTCOME.decode(saga.reply)
        self._position = fold(definition, journal)
        self._lines: list[JournalEvent] = []  # of the burst under way

    def run(self) -> None:
        """Go on until the saga parks or ends. Raises LostLease."""
        while until_done(lambda: self._burst(_MOST_TURNS)):
            pass

    def fail(self, failure: Failure) -> None:
        """Journal the present step as failed from outside (it keeps raising)."""
        self._write_failure(failure)

    @property
    def may_fail(self) -> bool:
        """Whether its present step may be journaled as failed: it is not undoing, and not past its point of no return."""
        return self._position.failure is None and self._definition.may_fail_at(self._position.next_step)

    # --- bursts ---

    def _burst(self, most: int) -> bool:
        """Up to `most` turns in one transaction. Says whether the saga can go on at once."""
        before, reply, done = self._position, self._reply, 0
        upcoming = self._next()
        try:
            prepared = self._prepare(upcoming)
            with self._kernel.runtime.db.write() as tx:
                goes_on = True
                while goes_on and done < most and (done == 0 or not _must_prepare(upcoming)):
                    goes_on = self._turn(tx, upcoming, prepared)
                    done, prepared = done + 1, None
                    upcoming = self._next() if goes_on else upcoming
                self._write_down(tx, before)
            return goes_on
        except Exception as problem:
            self._position, self._reply, self._lines = before, reply, []
            if isinstance(problem, TransactionConflict):
                raise
            if 0 < done < most:
                return self._burst(done)
            if done == 0:
                return self._after_raising(upcoming, problem)
            raise

    def _next(self) -> Next:
        return decide(self._definition, self._position, cancel=self._cancel)

    def _prepare(self, upcoming: Next) -> Any:
        if not isinstance(upcoming, Do) or self._has_reply(upcoming.step):
            return None
        return upcoming.step.prepare(self._run(upcoming.step, "do"))

    def _after_raising(self, turn: Next, problem: Exception) -> bool:
        """What follows from a turn that raised, with nothing before it in its transaction."""
        if not isinstance(turn, Do):
            raise problem
        match problem:
            case TryAgain(after_s=after_s):
                return self._let_go(after_s)
            case StepFailed(failure=failure):
                return self._failed(turn.step, failure)
            case KilonovaError():
                return self._failed(turn.step, Failure(message=problem.message, code=problem.status))
        raise problem

    def _failed(self, step: Step[Any, Any], failure: Failure) -> bool:
        if not self._definition.may_fail_at(self._position.next_step):
            _log.warning("saga step will be tried again", saga=self._saga.id, step=step.name, why=failure.message)
            return self._let_go(min(30.0, 1.0 + self._waited_s() / 2))
        self._write_failure(failure)
        return True

    def _write_failure(self, failure: Failure) -> None:
        with self._kernel.runtime.db.write() as tx:
            self._journal(tx, Event.STEP_FAILED, self._step_name(), failure, error=failure.message)
            self._write_down(tx, self._position)

    # --- turns: each says whether the saga goes on at once ---

    def _turn(self, tx: Tx, turn: Next, prepared: Any) -> bool:
        match turn:
            case Do(step):
                return self._do(tx, step, prepared)
            case Undo(step):
                return self._undo(tx, step)
            case Fail(failure):
                self._journal(tx, Event.STEP_FAILED, self._step_name(), failure, error=failure.message)
            case StartUndo():
                self._journal(tx, Event.UNDO_STARTED)
            case Again(attempt):
                self._journal(tx, Event.STARTED, attempt=attempt)
            case End(status):
                return self._end(tx, status)
        return True

    def _do(self, tx: Tx, step: Step[Any, Any], prepared: Any) -> bool:
        run = self._run(step, "do")
        reply = self._take_reply(step)
        if reply is not None:
            outcome = step.reply(tx, run, reply)
        else:
            if run.is_resend:
                step.silence(tx, run, self._waited_s())
            outcome = step.do(tx, run, prepared)
        if isinstance(outcome, Await):
            return self._park(tx, outcome)
        self._journal(tx, Event.STEP_DONE, step.name, outcome)
        return True

    def _undo(self, tx: Tx, step: Step[Any, Any]) -> bool:
        run = self._run(step, "undo")
        reply, self._reply = self._reply if run.is_resend else None, None
        is_done = run.is_resend and step.undo_is_done(tx, run, reply, self._waited_s())
        wanted = None if is_done else step.undo(tx, run)
        if wanted is not None:
            return self._park(tx, wanted)
        self._journal(tx, Event.UNDO_DONE, step.name)
        return True

    def _end(self, tx: Tx, status: SagaStatus) -> bool:
        self._definition.at_end(tx, self._run(None, "end"), status)
        failure = self._position.failure
        self._journal(tx, Event.FINISHED, error=None if failure is None else failure.message)
        following = saga_leases.finish(tx, self._saga, status, self._kernel.runtime.clock.now())
        if following is not None:
            tx.after_commit(lambda: self._kernel.wake(following, self._saga.project_id))
        return False

    def _park(self, tx: Tx, wanted: Await) -> bool:
        wake_at = self._kernel.runtime.clock.now() + timedelta(seconds=wanted.resend_after_s)
        told_to_stop = saga_leases.park(
            tx, self._saga, command_id=wanted.command.command_id, host=wanted.host, wake_at=wake_at
        )
        if told_to_stop and not self._cancel:
            # The cancel came while this turn ran: it must not sleep on the command it did not know it should not send.
            saga_leases.unpark(tx, self._saga, self._kernel.runtime.clock.now())
            tx.after_commit(lambda: self._kernel.wake(self._saga.id, self._saga.project_id))
            return False
        tx.after_commit(lambda: self._kernel.runtime.bus.cast(f"agent.{wanted.host}", wanted.command))
        return False

    def _let_go(self, after_s: float) -> bool:
        wake_at = self._kernel.runtime.clock.now() + timedelta(seconds=after_s)
        with self._kernel.runtime.db.write() as tx:
            saga_leases.let_go(tx, self._saga, wake_at=wake_at)
        self._kernel.runtime.clock.call_later(after_s, lambda: self._kernel.wake(self._saga.id, self._saga.project_id))
        return False

    # --- the journal ---

    def _journal(
        self, tx: Tx, kind: Event, step: str | None = None, result: Any = None, *,
        error: str | None = None, attempt: int | None = None,
    ) -> None:  # fmt: skip
        event = JournalEvent(
            seq=self._position.seq, event=kind, at=self._kernel.runtime.clock.now(), attempt=attempt or self._position.attempt,
            step=step, host=getattr(result, "host", None), result=msgspec.Raw(msgspec.json.encode(result)), error=error,
        )  # fmt: skip
        self._lines.append(event)
        self._kernel.on_journal(self._saga, event, "before")
        tx.after_commit(lambda: self._kernel.on_journal(self._saga, event, "after"))
        self._position = advance(self._definition, self._position, event)

    def _write_down(self, tx: Tx, before: Position) -> None:
        """What the burst did: its lines, and the step it has come to. Raises LostLease, and then none of it happened."""
        lines, self._lines = self._lines, []
        if not lines:
            return
        # The server before the saga: whoever asks for a delete locks them in that order.
        if self._position.next_step != before.next_step and lines[-1].event is not Event.FINISHED:
            saga_leases.show_step(tx, self._saga, self._step_name())
        self._cancel = saga_leases.record(tx, self._saga, *lines) or self._cancel

    # --- views ---

    def _run(self, step: Step[Any, Any] | None, way: str) -> Run[Any]:
        at = self._position
        command_id = self._command_id(step.name if step else "", way)
        return Run(
            saga=self._saga, params=self._params, attempt=at.attempt, results=at.results, failures=at.failures,
            failure=at.failure, now=self._kernel.runtime.clock.now(), command_id=command_id,
            is_resend=self._saga.command_id == command_id,
        )  # fmt: skip

    def _has_reply(self, step: Step[Any, Any]) -> bool:
        return self._reply is not None and self._saga.command_id == self._command_id(step.name, "do")

    def _take_reply(self, step: Step[Any, Any]) -> Outcome | None:
        """The host's report, once, and only to the command it answers."""
        has, reply, self._reply = self._has_reply(step), self._reply, None
        return reply if has else None

    def _command_id(self, step_name: str, way: str) -> str:
        return f"{self._saga.id}/{self._position.attempt}/{step_name}/{way}"

    def _step_name(self) -> str | None:
        index = self._position.next_step
        return self._definition.steps[index].name if index < len(self._definition.steps) else None

    def _waited_s(self) -> float:
        last = self._position.last
        return 0.0 if last is None else (self._kernel.runtime.clock.now() - last.at).total_seconds()


def _must_prepare(turn: Next) -> bool:
    """Whether a turn needs something from outside before its transaction."""
    return isinstance(turn, Do) and type(turn.step).prepare is not Step.prepare
