"""
Every saga against every fault, on real records and simulated hosts.

The four tests that every saga gets: a failure at each step leaves a clean world; each do twice and each undo twice change
nothing; the process killed at each line of the journal, before and after its commit, ends as if it had not been.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import pytest

from kilonova.conductor.audit import Audit
from kilonova.conductor.kernel.definition import Definition, Failure, Step, StepFailed
from kilonova.conductor.sagas.boot import PlaceStep
from kilonova.domain.saga import Event, JournalEvent, Saga, about_server
from kilonova.domain.server import Lifecycle, PowerState
from kilonova.domain.status import status_of
from kilonova.store.database import Database
from kilonova.store.queries import flavors, saga_leases, sagas
from tests.world.plane import TENANT, World

BOOT_STEPS = ("place", "network", "block_devices", "spawn", "activate")
DELETE_STEPS = ("remove", "release_network", "release_claim", "forget")


class Killed(BaseException):
    """The process is gone."""


@pytest.fixture
def world(database: Database, tmp_path: Path) -> World:
    return World(database, tmp_path)


def assert_clean(world: World) -> None:
    report = Audit(world.db, world.bus, world.clock)()
    assert (report.orphans, report.silent_hosts) == ({}, [])


def assert_nothing_is_left_of(world: World, server_id: str) -> None:
    """No claim, no port, no machine."""
    assert_clean(world)
    assert all(not driver.observe() for driver in world.drivers.values())
    server = world.server(server_id)
    assert server.host is None
    assert server.saga is None


def wrap(world: World, kind: str, edit: Callable[[Step], Step]) -> None:
    """Build the process anew with this kind's steps edited."""

    def edited(definition: Definition) -> Definition:
        return replace(definition, steps=[edit(s) for s in definition.steps]) if definition.kind == kind else definition

    world.edit = edited
    world.kill()


def failing_at(name: str, failure: Failure) -> Callable[[Step], Step]:
    def edit(step: Step) -> Step:
        if step.name == name:
            inner = step.do

            def do(tx: Any, run: Any, prepared: Any) -> Any:
                inner(tx, run, prepared)
                raise StepFailed(failure)

            step.do = do  # type: ignore[method-assign]
        return step

    return edit


@pytest.mark.parametrize("step", BOOT_STEPS)
def test_a_boot_that_fails_at_any_step_leaves_a_clean_world_and_says_why(world: World, step: str) -> None:
    wrap(world, "boot", failing_at(step, Failure(message=f"no luck at {step}")))
    server_id = world.boot()
    world.settle()
    server = world.server(server_id)
    assert status_of(server).status == "ERROR"
    assert server.fault is not None
    assert server.fault.message == f"no luck at {step}"
    assert_nothing_is_left_of(world, server_id)
    world.delete_server(TENANT, server_id)
    world.settle()
    assert world.server(server_id).lifecycle is Lifecycle.DELETED
    assert_nothing_is_left_of(world, server_id)


def test_a_failure_that_another_host_cures_is_cured_there(world: World) -> None:
    failed: list[str] = []

    def edit(step: Step) -> Step:
        if step.name == "spawn":
            inner = step.reply

            def reply(tx: Any, run: Any, outcome: Any) -> Any:
                host = run.result(PlaceStep).host
                if not failed:
                    failed.append(host)
                    raise StepFailed(Failure(message="this host is out of luck", elsewhere=True, host=host))
                return inner(tx, run, outcome)

            step.reply = reply  # type: ignore[method-assign]
        return step

    wrap(world, "boot", edit)
    server_id = world.boot()
    world.settle()
    server = world.server(server_id)
    assert status_of(server).status == "ACTIVE"
    assert server.host not in failed
    assert [seen.server_id for seen in world.drivers[str(server.host)].observe()] == [server_id]
    assert not world.drivers[failed[0]].observe()
    assert_clean(world)


def test_when_no_host_is_left_the_fault_names_those_that_were_tried(world: World) -> None:
    wrap(world, "boot", failing_at("spawn", Failure(message="x", elsewhere=True)))
    server_id = world.boot()
    world.settle()
    assert status_of(world.server(server_id)).status == "ERROR"
    assert_nothing_is_left_of(world, server_id)


def twice(method: str) -> Callable[[Step], Step]:
    def edit(step: Step) -> Step:
        inner = getattr(step, method)

        def again(*args: Any) -> Any:
            inner(*args)
            return inner(*args)

        setattr(step, method, again)
        return step

    return edit


@pytest.mark.parametrize("kind", ["boot", "delete"])
def test_every_step_done_twice_is_done_once(world: World, kind: str) -> None:
    wrap(world, kind, twice("do"))
    server_id = world.boot()
    world.settle()
    assert status_of(world.server(server_id)).status == "ACTIVE"
    assert_clean(world)
    world.delete_server(TENANT, server_id)
    world.settle()
    assert_nothing_is_left_of(world, server_id)


@pytest.mark.parametrize("step", BOOT_STEPS)
def test_every_undo_done_twice_is_done_once(world: World, step: str) -> None:
    fail = failing_at(step, Failure(message="no luck"))
    wrap(world, "boot", lambda s: twice("undo")(fail(s)))
    server_id = world.boot()
    world.settle()
    assert status_of(world.server(server_id)).status == "ERROR"
    assert_nothing_is_left_of(world, server_id)


def kill_at(world: World, kind: str, seq: int, when: str) -> list[JournalEvent]:
    """Kill the process once, at this line of the journal of a saga of this kind. Returns what it was killed at."""
    killed: list[JournalEvent] = []

    def on_journal(saga: Saga, event: JournalEvent, now: str) -> None:
        if (saga.kind, event.seq, now) == (kind, seq, when) and not killed:
            killed.append(event)
            raise Killed

    world.on_journal = on_journal
    return killed


def settle_through_death(world: World) -> None:
    try:
        world.settle()
    except Killed:
        world.kill()
        world.settle()


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("seq", range(1, len(BOOT_STEPS) + 2))
def test_a_boot_survives_the_process_killed_at_any_line_of_its_journal(world: World, seq: int, when: str) -> None:
    killed = kill_at(world, "boot", seq, when)
    server_id = world.boot()
    settle_through_death(world)
    assert killed, "the journal has fewer lines than this test thinks"
    server = world.server(server_id)
    assert status_of(server).status == "ACTIVE"
    machines = [seen.server_id for driver in world.drivers.values() for seen in driver.observe()]
    assert machines == [server_id]
    assert_clean(world)


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("seq", range(1, len(DELETE_STEPS) + 2))
def test_a_delete_survives_the_process_killed_at_any_line_of_its_journal(world: World, seq: int, when: str) -> None:
    server_id = world.boot()
    world.settle()
    killed = kill_at(world, "delete", seq, when)
    world.delete_server(TENANT, server_id)
    settle_through_death(world)
    assert killed
    assert world.server(server_id).lifecycle is Lifecycle.DELETED
    assert_nothing_is_left_of(world, server_id)


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("seq", range(1, 12))
def test_an_undo_survives_the_process_killed_at_any_line_of_its_journal(world: World, seq: int, when: str) -> None:
    wrap(world, "boot", failing_at("activate", Failure(message="no luck")))
    killed = kill_at(world, "boot", seq, when)
    server_id = world.boot()
    settle_through_death(world)
    assert killed
    assert status_of(world.server(server_id)).status == "ERROR"
    assert_nothing_is_left_of(world, server_id)


@pytest.mark.parametrize("seconds", [0.0, 0.5, 1.0, 2.0, 2.5])
def test_a_delete_during_a_boot_stops_it_and_leaves_nothing(world: World, seconds: float) -> None:
    server_id = world.boot()
    if seconds:
        world.runner.run_due()
        world.clock.advance(seconds)
    world.delete_server(TENANT, server_id)
    world.settle()
    assert world.server(server_id).lifecycle is Lifecycle.DELETED
    assert_nothing_is_left_of(world, server_id)


def test_a_saga_taken_over_cannot_be_moved_by_who_held_it_before(world: World) -> None:
    server_id = world.boot()
    with world.db.write() as tx:
        (saga,) = sagas.of_subject(tx, about_server(server_id))
        first = saga_leases.take(tx, saga.id, "one", world.clock.now(), 10.0)
    world.clock.advance(11.0)
    with world.db.write() as tx:
        second = saga_leases.take(tx, saga.id, "two", world.clock.now(), 10.0)
    assert first is not None
    assert second is not None
    event = JournalEvent(seq=1, event=Event.STEP_DONE, at=world.clock.now(), attempt=1, step="place")
    with pytest.raises(saga_leases.LostLease), world.db.write() as tx:
        saga_leases.record(tx, first, event)


def test_a_server_larger_than_any_host_is_in_error_with_the_reason(world: World) -> None:
    with world.db.write() as tx:
        huge = flavors.get(tx, "tiny", project_id=None, every=True)
        flavors.add(tx, msgspec.structs.replace(huge, id="huge", name="huge", ram_mib=50_000))
    server_id = world.boot(flavor="huge")
    world.settle()
    fault = world.server(server_id).fault
    assert fault is not None
    assert fault.message.startswith("No valid host was found.")
    assert "RAM" in fault.message


def test_guests_are_started_again_after_their_host_was(world: World) -> None:
    server_id = world.boot()
    world.settle()
    host = str(world.server(server_id).host)
    world.drivers[host].lose_power()
    world.boot_ids[host] = "second"
    world.kill()
    world.power.activate()
    world.settle()
    server = world.server(server_id)
    assert (server.power_state, status_of(server).status) == (PowerState.RUNNING, "ACTIVE")
    assert_clean(world)
