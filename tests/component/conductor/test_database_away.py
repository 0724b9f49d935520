"""The database goes away in the middle of a conductor's work, and comes back."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import select

from kilonova.conductor.kernel.runner import LEASE_S
from kilonova.conductor.timeline import Timeline
from kilonova.domain.saga import JournalEvent, Saga, about_server
from kilonova.rpc.messages import Progress
from kilonova.store.away import DatabaseAway
from kilonova.store.database import Database
from kilonova.store.tables.sagas import sagas, stages
from tests.world.plane import World


class Outage:
    """The database is away for the first `times` lines of journals."""

    def __init__(self, times: int) -> None:
        self.left = times

    def __call__(self, _saga: Saga, _event: JournalEvent, when: str) -> None:
        if when == "before" and self.left:
            self.left -= 1
            raise DatabaseAway("server closed the connection unexpectedly")


def lease(world: World) -> object:
    with world.db.read() as tx:
        return tx.execute(select(sagas.c.lease_until)).scalar_one()


def run_through_the_outage(world: World) -> int:
    """How often a saga met it."""
    met = 0
    while True:
        try:
            if not world.runner.run_due():
                return met
        except DatabaseAway:
            met += 1
            assert lease(world) is not None
            world.runner.look()  # as once a second
            assert lease(world) is None


def test_a_saga_goes_on_at_once_and_it_is_no_fault_of_its_own(database: Database, tmp_path: Path) -> None:
    world = World(database, tmp_path)
    server_id = world.boot()
    # Far more often than a step may fail by a bug of ours before it is given up.
    world.on_journal = Outage(times=20)
    assert run_through_the_outage(world) >= 10
    world.settle(60)
    server = world.server(server_id)
    assert server.saga is None
    assert server.host
    assert server.fault is None


def test_a_lease_lost_meanwhile_is_not_taken_back(database: Database, tmp_path: Path) -> None:
    world = World(database, tmp_path)
    world.boot()
    world.on_journal = Outage(times=1)
    with pytest.raises(DatabaseAway):
        world.runner.run_due()
    with database.write() as tx:
        tx.execute(sagas.update().values(epoch=sagas.c.epoch + 1, owner="another"))
    world.runner.look()
    with database.read() as tx:
        assert tx.execute(select(sagas.c.owner)).scalar_one() == "another"
    assert world.runner.takeovers == 0
    world.clock.advance(LEASE_S + 1)
    world.runner.look()
    assert world.runner.run_next()
    assert world.runner.takeovers == 1


def test_stages_wait_until_it_is_back(database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    world = World(database, tmp_path)
    world.boot()
    with database.read() as tx:
        saga_id = tx.execute(select(sagas.c.id)).scalar_one()
    timeline = Timeline(database, world.clock)

    def gone() -> None:
        raise DatabaseAway("gone")

    with monkeypatch.context() as patched:
        patched.setattr(database, "write", gone)
        timeline.add(_progress(saga_id, "image"))
        timeline._flush()
        timeline.add(_progress(saga_id, "disks"))
        timeline._flush()
    timeline._flush()
    with database.read() as tx:
        assert sorted(tx.execute(select(stages.c.name)).scalars()) == ["disks", "image"]


def _progress(saga_id: str, stage: str) -> Progress:
    return Progress(
        host="host-0", command_id=f"{saga_id}/1/spawn/do", subject=about_server("s"), stage=stage, percent=10
    )
