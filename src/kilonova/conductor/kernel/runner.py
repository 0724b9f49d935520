"""
Takes sagas that can go on, and runs them in a few threads.

A saga is named to the runner by a wake-up (`wake`), or found by the pass that looks for due ones every `_PERIOD_S` seconds; the
pass alone would be enough, wake-ups only make it quick. What is known to be able to go on waits in a lane for each project
(`lanes.py`), and lanes are served in turn. The pass reads a bounded number of due sagas and goes on at the next one where it left
off, so that its cost does not grow with what is due and no saga is out of its sight.

Any number of runners may share a database: the lease and its epoch keep a saga with one of them, and a runner that lost its lease
notices at its next write and lets go.
"""

from __future__ import annotations

import threading
from collections import Counter, deque
from collections.abc import Iterable
from contextlib import suppress
from typing import Any

import structlog

from kilonova.conductor.kernel.definition import Definition, Failure
from kilonova.conductor.kernel.execution import Execution, Kernel, OnJournal
from kilonova.conductor.kernel.lanes import Lanes
from kilonova.domain.saga import Saga
from kilonova.runtime import Runtime
from kilonova.store.away import DatabaseAway
from kilonova.store.queries import saga_leases, sagas

_log = structlog.get_logger(__name__)

LEASE_S = 60.0  # how long nobody takes over a saga from a runner that is silent
_PERIOD_S = 1.0
_BATCH = 500
_MOST_BATCHES = 4  # of one pass
_BUGS = 5  # a step that raises so often in a row is failed


def ignore_journal(_saga: Saga, _event: object, _when: str) -> None:
    """What listens to the journal when nobody does."""


class Runner:
    """Runs the sagas of these definitions, with leases in the name of its runtime."""

    def __init__(
        self, runtime: Runtime, definitions: Iterable[Definition[Any]], *,
        workers: int = 4, lease_s: float = LEASE_S, on_journal: OnJournal = ignore_journal,
    ) -> None:  # fmt: skip
        self._db, self._clock, self._owner, self._lease_s = runtime.db, runtime.clock, runtime.name, lease_s
        self._definitions = {definition.kind: definition for definition in definitions}
        self._kernel = Kernel(runtime, self.wake, on_journal)
        self._lanes = Lanes()
        self._seen_due: saga_leases.Due | None = None  # the last that the pass has seen; None: it begins anew
        self._bugs: Counter[str] = Counter()
        self.takeovers = 0  # sagas taken over from runners that went silent
        self._left: dict[str, str] = {}  # such sagas that wait for their turn here, and who left them
        self._adrift: deque[Saga] = (
            deque()
        )  # the database went away in the middle of them, and their leases are still ours
        self._stopping = threading.Event()
        self._workers = [threading.Thread(target=self._work, name=f"saga-{i}", daemon=True) for i in range(workers)]
        self._looking = threading.Thread(target=self._look, name="saga-look", daemon=True)

    def start(self) -> None:
        """Free what a dead process of the same name held, and begin; as soon as the database is there."""
        self._looking.start()

    def stop(self) -> None:
        """Finish the turns under way, give the leases back, and end."""
        self._stopping.set()
        self._lanes.close()
        self._looking.join()
        for worker in self._workers:
            if worker.is_alive():
                worker.join()
        try:
            self._renounce()
        except DatabaseAway as why:
            _log.warning("the database is away; leases run out by themselves", why=str(why))

    def wake(self, saga_id: str, project_id: str | None = None) -> None:
        """This saga, of this project, may be able to go on. Cheap; naming one twice is naming it once."""
        self._lanes.put(project_id or "", saga_id)

    def run_due(self) -> int:
        """Run what is due, here and now, in the caller's thread: for worlds that have no threads. Returns how many."""
        with self._db.read() as tx:
            due = saga_leases.due(tx, self._clock.now(), _BATCH)
        for saga in due:
            self._run_one(saga.id)
        return len(due)

    def run_next(self) -> bool:
        """Run the saga whose turn it is, in the caller's thread. False when none waits."""
        saga_id = self._lanes.take_now()
        if saga_id is not None:
            self._run_one(saga_id)
        return saga_id is not None

    def look(self) -> None:
        """One pass: let a bounded number of due sagas wait for their turn, beginning where the last pass left off."""
        self._take_up_adrift()
        for _ in range(_MOST_BATCHES):
            with self._db.read() as tx:
                due = saga_leases.due(tx, self._clock.now(), _BATCH, after=self._seen_due)
            for saga in due:
                if saga.left_by is not None:
                    self._left[saga.id] = saga.left_by
                self.wake(saga.id, saga.project_id)
            self._seen_due = due[-1] if len(due) == _BATCH else None
            if self._seen_due is None:
                return

    def _take_up_adrift(self) -> None:
        """Give their leases back, now that it can be done: nobody has to wait until they run out."""
        while self._adrift:
            saga = self._adrift[0]
            with suppress(saga_leases.LostLease), self._db.write() as tx:
                saga_leases.delay(tx, saga, self._clock.now(), 0.0)
            self._adrift.popleft()

    def _look(self) -> None:
        self._begin()
        while not self._stopping.is_set():
            try:
                self.look()
            except DatabaseAway as why:
                _log.warning("the database is away; trying again", why=str(why))
            except Exception:  # noqa: BLE001 - the pass is what heals everything else: it must not end
                _log.exception("looking for due sagas failed; trying again")
            self._stopping.wait(_PERIOD_S)

    def _begin(self) -> None:
        """Have the workers begin, once no lease of theirs can be taken for a dead process'."""
        while not self._stopping.is_set():
            try:
                self._renounce()
            except DatabaseAway as why:
                _log.warning("the database is away; sagas wait for it", why=str(why))
                self._stopping.wait(_PERIOD_S)
            else:
                for worker in self._workers:
                    worker.start()
                return

    def _renounce(self) -> None:
        with self._db.write() as tx:
            saga_leases.renounce(tx, self._owner, self._clock.now())

    def _work(self) -> None:
        while (saga_id := self._lanes.take()) is not None:
            try:
                self._run_one(saga_id)
            except DatabaseAway as why:  # the pass finds the saga again
                _log.warning("the database is away; a saga waits for it", saga=saga_id, why=str(why))
            except Exception:  # noqa: BLE001 - as above, whatever it is
                _log.exception("a saga could not be run; it will be taken again", saga=saga_id)

    def _run_one(self, saga_id: str) -> None:
        with self._db.write() as tx:
            saga = saga_leases.take(tx, saga_id, self._owner, self._clock.now(), self._lease_s)
            journal = [] if saga is None else sagas.events(tx, saga_id)
        left_by = self._left.pop(saga_id, None)
        if saga is None:
            return
        about = {saga.subject.kind.value: saga.subject.id}
        with structlog.contextvars.bound_contextvars(request_id=saga.request_id, saga=saga.id, **about):
            if left_by is not None:
                self.takeovers += 1
                _log.info("a saga is taken over from a runner that went silent", left_by=left_by)
            execution: Execution | None = None
            try:
                execution = Execution(self._kernel, self._definitions[saga.kind], saga, journal)
                execution.run()
                self._bugs.pop(saga.id, None)
            except saga_leases.LostLease:
                _log.info("saga was taken over")
            except DatabaseAway:
                self._adrift.append(saga)  # no fault of the saga's
                raise
            except Exception as problem:  # noqa: BLE001 - a bug in one step must not take the others with it
                try:
                    self._after_bug(saga, execution)
                except saga_leases.LostLease:  # what was raised came of that: who was quicker has made the claim, say
                    self._bugs.pop(saga.id, None)
                    _log.info("saga was taken over", found=type(problem).__name__)
                else:
                    _log.error("saga turn failed", exc_info=problem)

    def _after_bug(self, saga: Saga, execution: Execution | None) -> None:
        self._bugs[saga.id] += 1
        tries = self._bugs[saga.id]
        if tries >= _BUGS and execution is not None and execution.may_fail:
            del self._bugs[saga.id]
            execution.fail(Failure(message=f"An internal error stopped the request ({saga.request_id}).", code=500))
            tries = 0
        delay_s = min(30.0, 0.2 * 2**tries)
        with self._db.write() as tx:
            saga_leases.delay(tx, saga, self._clock.now(), delay_s)
        self._clock.call_later(delay_s, lambda: self.wake(saga.id, saga.project_id))
