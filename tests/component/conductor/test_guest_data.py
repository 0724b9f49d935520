"""What a guest may read of itself reaches its host, whatever becomes of a message."""

from __future__ import annotations

from pathlib import Path

import pytest

from kilonova.compute.update import Changes, UpdateServerRecord
from kilonova.reconcilers.guest_data import GuestDataReconciler
from kilonova.store.database import Database
from kilonova.store.queries import guest_data
from tests.world.plane import TENANT, World


@pytest.fixture
def world(database: Database, tmp_path: Path) -> World:
    return World(database, tmp_path)


class Desk:
    """One settled server, its edits, and what is due of them."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.server_id = world.boot()
        world.settle()
        self.reconciler = GuestDataReconciler(world.db, world.bus, world.clock, world.networks)
        self._update = UpdateServerRecord(world.runtime)

    def rename(self, name: str) -> None:
        self._update(TENANT, self.server_id, Changes(name=name))

    def pass_(self, seconds: float = 31.0) -> int:
        """Wait, and look; how many were told."""
        self.world.settle(seconds)
        told = self.reconciler.activate()["told"]
        self.world.settle(5.0)
        return told

    def guest_name(self) -> str:
        host = self.world.server(self.server_id).host
        assert host is not None
        machine = self.world.drivers[host]._machines.get(self.server_id)
        assert machine is not None
        return machine.guest_name

    def is_due(self) -> bool:
        with self.world.db.read() as tx:
            return bool(guest_data.due(tx, self.world.clock.now(), 10))


def test_an_edit_reaches_the_guest_and_is_over_once_the_host_says_so(world: World) -> None:
    desk = Desk(world)
    desk.rename("new")
    assert desk.guest_name() == "vm"
    assert desk.pass_() == 1
    assert desk.guest_name() == "new"
    assert not desk.is_due()
    assert desk.pass_() == 0


def test_a_lost_command_is_sent_again(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    desk = Desk(world)
    desk.rename("new")
    with monkeypatch.context() as lossy:
        lossy.setattr(world.bus, "cast", lambda *_: None)
        assert desk.reconciler.activate()["told"] == 1
        assert desk.reconciler.activate()["told"] == 0  # it may still come
    assert desk.guest_name() == "vm"
    assert desk.pass_() == 1
    assert desk.guest_name() == "new"


def test_what_changes_after_a_command_was_sent_is_still_due(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    desk = Desk(world)
    desk.rename("first")
    cast, held = world.bus.cast, []
    with monkeypatch.context() as slow:
        slow.setattr(world.bus, "cast", lambda topic, message: held.append((topic, message)))
        desk.reconciler.activate()
        desk.rename("second")
    for topic, message in held:
        cast(topic, message)
    world.settle(5.0)
    assert desk.guest_name() == "first"
    assert desk.is_due()
    assert desk.pass_() == 1
    assert desk.guest_name() == "second"


def test_an_answer_to_an_earlier_command_is_no_answer(world: World) -> None:
    desk = Desk(world)
    desk.rename("new")
    with world.db.write() as tx:
        guest_data.sent(tx, desk.server_id, 99, world.clock.now())
        guest_data.confirmed(tx, desk.server_id, 98)
    assert desk.is_due()
    assert desk.pass_() == 1


def test_of_a_deleted_server_nobody_is_told(world: World) -> None:
    desk = Desk(world)
    desk.rename("new")
    world.delete_server(TENANT, desk.server_id)
    assert desk.pass_() == 0
    with world.db.read() as tx:
        assert guest_data.due(tx, world.clock.now(), 10) == []
    with world.db.write() as tx:
        assert guest_data.forget_deleted(tx) == 0
