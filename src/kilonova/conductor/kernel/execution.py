"""
Carrying out one saga, from the lease to the point where it parks or ends.

Each turn of the loop asks `decide` what comes next and does it in one transaction with its journal event. A turn that raises
changes nothing (the transaction is rolled back); the saga is let go and taken again later, so a bug or a database failure in a
step delays that saga and no other. After `_BUGS` such turns in a row the step is journaled as failed, rather than tried for ever.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import msgspec
import structlog

from kilonova.conductor.kernel.definition import Await, Definition, Failure, Run, Step, StepFailed, TryAgain
from kilonova.conductor.kernel.position import Again, Do, End, Fail, Position, StartUndo, Undo, advance, decide, fold
from kilonova.domain.clock import Clock
from kilonova.domain.errors import KilonovaError
from kilonova.domain.report import Outcome
from kilonova.domain.saga import Event, JournalEvent, Saga
from kilonova.rpc.bus import Bus
from kilonova.store.database import Database, Tx
from kilonova.store.queries import saga_leases, sagas

_log = structlog.get_logger(__name__)

# Told of every journal event: (saga, event, "before" | "after" its commit). Fault tests end the process here.
OnJournal = Callable[[Saga, JournalEvent, str], None]


@dataclass(frozen=True)
class Kernel:
    """What every execution needs."""

    db: Database
    bus: Bus
    clock: Clock
    wake: Callable[[str], None]  # another saga became ready
    on_journal: OnJournal


class Execution:
    """One saga under lease."""

    def __init__(self, kernel: Kernel, definition: Definition, saga: Saga) -> None:
        self._kernel = kernel
        self._definition = definition
        self._saga = saga
        self._params = msgspec.json.decode(saga.params, type=definition.params)
        self._cancel = saga.cancel
        # A reply is for the command the saga was parked on, and is used once.
        self._reply = None if saga.reply is None else msgspec.json.decode(saga.reply, type=Outcome)
        with kernel.db.read() as tx:
            self._position = fold(definition, sagas.events(tx, saga.id))

    def run(self) -> None:
        """Go on until the saga parks or ends. Raises LostLease."""
        while self._turn():
            pass

    def fail(self, failure: Failure) -> None:
        """Journal the present step as failed from outside (it keeps raising)."""
        with self._kernel.db.write() as tx:
            self._journal(tx, Event.STEP_FAILED, self._step_name(), failure, error=failure.message)

    @property
    def position(self) -> Position:
        """Where the saga stands."""
        return self._position

    def _turn(self) -> bool:
        match decide(self._definition, self._position, cancel=self._cancel):
            case Do(step):
                return self._do(step)
            case Undo(step):
                return self._undo(step)
            case Fail(failure):
                return self._write(Event.STEP_FAILED, self._step_name(), failure, error=failure.message)
            case StartUndo():
                return self._write(Event.UNDO_STARTED)
            case Again(attempt):
                return self._write(Event.STARTED, attempt=attempt)
            case End(status):
                return self._end(status)

    # --- doing ---

    def _do(self, step: Step) -> bool:
        run = self._run(step, "do")
        try:
            reply = self._take_reply(run)
            prepared = None if reply is not None else step.prepare(run)
            with self._kernel.db.write() as tx:
                outcome = self._advance_step(tx, step, run, reply or prepared)
                if isinstance(outcome, Await):
                    return self._park(tx, outcome)
                self._journal(tx, Event.STEP_DONE, step.name, outcome)
                following = self._position.next_step
                if following < len(self._definition.steps):
                    saga_leases.show_step(tx, self._saga, self._definition.steps[following].name)
            return True
        except TryAgain as again:
            return self._let_go(again.after_s)
        except StepFailed as failed:
            return self._failed(step, failed.failure)
        except KilonovaError as error:
            return self._failed(step, Failure(message=error.message, code=error.status))

    def _advance_step(self, tx: Tx, step: Step, run: Run, given: Any) -> Any:
        if isinstance(given, Outcome):
            return step.reply(tx, run, given)
        if run.is_resend:
            step.silence(tx, run, self._waited_s())
        return step.do(tx, run, given)

    def _take_reply(self, run: Run) -> Outcome | None:
        """The host's report, once, and only to the command it answers."""
        reply, self._reply = self._reply, None
        return reply if run.is_resend else None

    def _failed(self, step: Step, failure: Failure) -> bool:
        if self._definition.forward_only:
            _log.warning("saga step will be tried again", saga=self._saga.id, step=step.name, why=failure.message)
            return self._let_go(min(30.0, 1.0 + self._waited_s() / 2))
        return self._write(Event.STEP_FAILED, step.name, failure, error=failure.message)

    # --- undoing ---

    def _undo(self, step: Step) -> bool:
        run = self._run(step, "undo")
        reply = self._take_reply(run)
        with self._kernel.db.write() as tx:
            is_done = run.is_resend and step.undo_is_done(tx, run, reply, self._waited_s())
            wanted = None if is_done else step.undo(tx, run)
            if wanted is not None:
                return self._park(tx, wanted)
            self._journal(tx, Event.UNDO_DONE, step.name)
        return True

    # --- the ends of a turn ---

    def _end(self, status: Any) -> bool:
        with self._kernel.db.write() as tx:
            self._definition.at_end(tx, self._run(None, "end"), status)
            failure = self._position.failure
            self._journal(tx, Event.FINISHED, error=None if failure is None else failure.message)
            following = saga_leases.finish(tx, self._saga, status, self._kernel.clock.now())
            if following is not None:
                tx.after_commit(lambda: self._kernel.wake(following))
        return False

    def _park(self, tx: Tx, wanted: Await) -> bool:
        wake_at = self._kernel.clock.now() + timedelta(seconds=wanted.resend_after_s)
        told_to_stop = saga_leases.park(tx, self._saga, command_id=wanted.command.command_id, wake_at=wake_at)
        if told_to_stop and not self._cancel:
            # The cancel came while this turn ran: it must not sleep on the command it did not know it should not send.
            saga_leases.unpark(tx, self._saga, self._kernel.clock.now())
            tx.after_commit(lambda: self._kernel.wake(self._saga.id))
            return False
        tx.after_commit(lambda: self._kernel.bus.cast(f"agent.{wanted.host}", wanted.command))
        return False

    def _let_go(self, after_s: float) -> bool:
        wake_at = self._kernel.clock.now() + timedelta(seconds=after_s)
        with self._kernel.db.write() as tx:
            saga_leases.let_go(tx, self._saga, wake_at=wake_at)
        self._kernel.clock.call_later(after_s, lambda: self._kernel.wake(self._saga.id))
        return False

    def _write(self, event: Event, step: str | None = None, result: Any = None, **more: Any) -> bool:
        with self._kernel.db.write() as tx:
            self._journal(tx, event, step, result, **more)
        return True

    def _journal(
        self, tx: Tx, kind: Event, step: str | None = None, result: Any = None, *,
        error: str | None = None, attempt: int | None = None,
    ) -> None:  # fmt: skip
        event = JournalEvent(
            seq=self._position.seq, event=kind, at=self._kernel.clock.now(), attempt=attempt or self._position.attempt,
            step=step, host=getattr(result, "host", None), result=msgspec.Raw(msgspec.json.encode(result)), error=error,
        )  # fmt: skip
        self._cancel = saga_leases.record(tx, self._saga, event) or self._cancel
        self._kernel.on_journal(self._saga, event, "before")
        tx.after_commit(lambda: self._kernel.on_journal(self._saga, event, "after"))
        after = advance(self._definition, self._position, event)
        self._position = after

    # --- views ---

    def _run(self, step: Step | None, way: str) -> Run:
        at = self._position
        command_id = f"{self._saga.id}/{at.attempt}/{step.name if step else ''}/{way}"
        return Run(
            saga=self._saga, params=self._params, attempt=at.attempt, results=at.results, failed_hosts=at.failed_hosts,
            failure=at.failure, now=self._kernel.clock.now(), command_id=command_id,
            is_resend=self._saga.command_id == command_id,
        )  # fmt: skip

    def _step_name(self) -> str | None:
        index = self._position.next_step
        return self._definition.steps[index].name if index < len(self._definition.steps) else None

    def _waited_s(self) -> float:
        last = self._position.last
        return 0.0 if last is None else (self._kernel.clock.now() - last.at).total_seconds()
