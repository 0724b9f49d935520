"""A saga about a thing that is no server: one at a time, killed at every line of its journal, undone before a point alone."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import pytest

from kilonova.conductor.kernel.definition import Await, Definition, Failure, Run, Step, StepFailed
from kilonova.conductor.kernel.runner import Runner
from kilonova.domain.report import Outcome
from kilonova.domain.saga import JournalEvent, Saga, SagaStatus, Subject, SubjectKind
from kilonova.rpc.commands import Command
from kilonova.store.database import Database, Tx
from kilonova.store.queries import hosts, saga_leases, sagas
from tests.world.plane import World

VOLUME = Subject(SubjectKind.VOLUME, "0b9a1a5c-9d1a-4a52-9d2c-7d3a4c1b2a10")
HOST = "host-0"


class Killed(BaseException):
    """The process is gone."""


class Params(msgspec.Struct, frozen=True):
    reason: str


class TouchVolume(Command, frozen=True, kw_only=True):
    """A command about a volume; hosts of today answer that they do not know it, which is an answer."""

    volume_id: str

    @property
    def subject(self) -> Subject:
        return Subject(SubjectKind.VOLUME, self.volume_id)


class Reserve(Step[Params, int]):
    """Leaves a mark that undoing takes away."""

    name = "reserve"
    result = int

    def do(self, tx: Tx, run: Run[Params], prepared: Any) -> int:
        hosts.change(tx, [HOST], disabled_reason=run.params.reason)
        return 7

    def undo(self, tx: Tx, run: Run[Params]) -> None:
        hosts.change(tx, [HOST], disabled_reason=None)


class Attach(Step[Params, Outcome]):
    """Waits for a host."""

    name = "attach"
    result = Outcome

    def do(self, tx: Tx, run: Run[Params], prepared: Any) -> Await:
        command = TouchVolume(command_id=run.command_id, generation=1, volume_id=run.subject_id)
        return Await(host=HOST, command=command)

    def reply(self, tx: Tx, run: Run[Params], outcome: Outcome) -> Outcome:
        assert run.result(Reserve) == 7
        return outcome


@dataclass
class Commit(Step[Params, None]):
    """Fails as often as it is told to."""

    name = "commit"
    failures: int = 0

    def do(self, tx: Tx, run: Run[Params], prepared: Any) -> None:
        if self.failures > 0:
            self.failures -= 1
            raise StepFailed(Failure(message="not yet"))
        hosts.change(tx, [HOST], disabled_reason=f"{run.params.reason} done")


class VolumeWorld:
    """A world whose conductor has a kind of saga about volumes."""

    def __init__(self, world: World, commit: Commit, *, is_forward: bool) -> None:
        self.world, self.commit, self.is_forward = world, commit, is_forward
        self.on_journal: Any = lambda *_: None
        self.runner = self._runner()

    def _runner(self) -> Runner:
        definition = Definition(
            kind="attach", params=Params, steps=(Reserve(), Attach(), self.commit), at_end=lambda *_: None,
            point_of_no_return=Commit if self.is_forward else None,
        )  # fmt: skip
        world = self.world
        world.runner = Runner(world.runtime, [definition], on_journal=self._tell)
        return world.runner

    def _tell(self, saga: Saga, event: JournalEvent, when: str) -> None:
        self.on_journal(saga, event, when)

    def ask(self) -> str:
        new = sagas.NewSaga(
            kind="attach", subject=VOLUME, project_id="p", user_id="u", request_id="req-1", params=Params("reserved")
        )
        with self.world.db.write() as tx:
            return sagas.start(tx, new, ids=self.world.ids, now=self.world.clock.now())

    def settle(self) -> None:
        try:
            self.world.settle(120.0)
        except Killed:
            self.world.kill()
            self._runner()
            self.world.settle(120.0)

    def status(self, saga_id: str) -> SagaStatus:
        with self.world.db.read() as tx:
            found = sagas.get(tx, saga_id)
        assert found is not None
        assert found.subject == VOLUME
        return found.status

    def mark(self) -> str | None:
        with self.world.db.read() as tx:
            found = hosts.by_name(tx, HOST)
        assert found is not None
        return found.disabled_reason


def volumes(database: Database, folder: Path, *, failures: int = 0, is_forward: bool = False) -> VolumeWorld:
    return VolumeWorld(World(database, folder), Commit(failures), is_forward=is_forward)


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("seq", range(1, 5))
def test_it_survives_the_process_killed_at_any_line(database: Database, tmp_path: Path, seq: int, when: str) -> None:
    one = volumes(database, tmp_path)
    killed: list[JournalEvent] = []

    def on_journal(_saga: Saga, event: JournalEvent, now: str) -> None:
        if (event.seq, now) == (seq, when) and not killed:
            killed.append(event)
            raise Killed

    one.on_journal = on_journal
    saga_id = one.ask()
    one.settle()
    assert killed, "the journal has fewer lines than this test thinks"
    assert (one.status(saga_id), one.mark()) == (SagaStatus.DONE, "reserved done")


def test_what_fails_before_the_point_of_no_return_is_undone(database: Database, tmp_path: Path) -> None:
    one = volumes(database, tmp_path, failures=1000)
    saga_id = one.ask()
    one.settle()
    assert (one.status(saga_id), one.mark()) == (SagaStatus.FAILED, None)


def test_what_cannot_be_done_after_it_is_tried_again(database: Database, tmp_path: Path) -> None:
    one = volumes(database, tmp_path, failures=3, is_forward=True)
    saga_id = one.ask()
    one.settle()
    assert (one.status(saga_id), one.mark()) == (SagaStatus.DONE, "reserved done")


def test_a_second_one_about_the_same_subject_waits(database: Database, tmp_path: Path) -> None:
    one = volumes(database, tmp_path)
    first, second = one.ask(), one.ask()
    assert (one.status(first), one.status(second)) == (SagaStatus.READY, SagaStatus.QUEUED)
    one.settle()
    assert (one.status(first), one.status(second)) == (SagaStatus.DONE, SagaStatus.DONE)


def test_the_host_that_it_waits_for_is_known(database: Database, tmp_path: Path) -> None:
    one = volumes(database, tmp_path)
    saga_id = one.ask()
    one.world.bus.serve("agent.host-9", lambda _message: None, workers=0)
    with database.write() as tx:
        saga = saga_leases.take(tx, saga_id, "me", one.world.clock.now(), 60.0)
        assert saga is not None
        saga_leases.park(tx, saga, command_id=f"{saga_id}/1/attach/do", host="host-9", wake_at=one.world.clock.now())
        assert saga_leases.wake_host(tx, "host-8", one.world.clock.now()) == []
        assert [due.id for due in saga_leases.wake_host(tx, "host-9", one.world.clock.now())] == [saga_id]
