"""The gate on real records: an honest host is never refused, whatever happens to it; a dishonest one gets nowhere."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import event

from kilonova.conductor.host_gate import (
    MOST_SERVERS,
    NO_CREDENTIAL,
    NO_KEY,
    NO_SENDER,
    NOT_FOR_HOSTS,
    OTHER_COMMAND,
    OTHER_HOST,
    OTHER_SERVER,
    REFRESH_S,
    TOO_MANY,
    HostGate,
)
from kilonova.conductor.kernel.definition import Definition, Failure, StepFailed
from kilonova.conductor.refusals import RefusalLog
from kilonova.conductor.sagas.boot import PlaceStep
from kilonova.domain.host_access import bus_user
from kilonova.domain.report import HostFault, Observed, Outcome
from kilonova.domain.saga import about_server
from kilonova.domain.server import PowerState
from kilonova.rpc.messages import (
    FleetChanged,
    Heartbeat,
    HostObserved,
    HostStarted,
    Message,
    Ok,
    Place,
    PowerChanged,
    Progress,
    Report,
    SagaReady,
)
from kilonova.store.database import Database
from kilonova.store.queries import actions, host_access
from kilonova.store.queries.keyset import Keyset
from tests import databases
from tests.unit.scheduler.building import request
from tests.world.gated import A, B, C, GatedWorld
from tests.world.plane import FACTS, TENANT


@pytest.fixture
def world(database: Database, tmp_path: Path) -> GatedWorld:
    return GatedWorld(database, tmp_path)


def observed(server_id: str, state: PowerState = PowerState.SHUTDOWN) -> Observed:
    return Observed(server_id=server_id, power_state=state)


def started(host: str, *seen: Observed) -> HostStarted:
    return HostStarted(host=host, boot_id="b", facts=FACTS, observed=seen)


def report(host: str, server_id: str, command_id: str) -> Report:
    outcome = Outcome(fault=HostFault(message="lies"))
    return Report(host=host, command_id=command_id, subject=about_server(server_id), generation=1, outcome=outcome)


def progress(host: str, server_id: str, command_id: str) -> Progress:
    return Progress(host=host, command_id=command_id, subject=about_server(server_id), stage="image", percent=1)


def saga_of(world: GatedWorld, server_id: str) -> str:
    with world.db.read() as tx:
        return actions.page_of(tx, server_id, Keyset())[0].id


def other_than(host: str | None) -> str:
    return next(name for name in (A, B, C) if name != host)


# --- an honest host ---


def test_an_honest_host_is_never_refused(world: GatedWorld) -> None:
    servers = [world.active() for _ in range(3)]
    world.boot_ids[A] = "second"  # the machine itself was started anew
    world.kill()
    world.settle()
    for server_id in servers:
        world.delete_server(TENANT, server_id)
    world.settle()
    world.kill()
    world.settle()
    assert (world.refused, world.refusals()) == ([], [])


def test_an_honest_host_whose_every_word_comes_late_and_twice_is_never_refused(world: GatedWorld) -> None:
    failed: list[str] = []

    def edit(definition: Definition) -> Definition:
        for step in definition.steps:
            if step.name == "spawn":
                step.reply = partial(fail_once, step.reply, failed)  # type: ignore[method-assign]
        return definition

    world.again_after_s, world.edit = (3.0, 45.0, 200.0), edit
    world.kill()
    servers = [world.active() for _ in range(3)]
    assert failed  # so one of them went from one host to another
    for server_id in servers:
        world.delete_server(TENANT, server_id)
    world.settle()
    assert (world.refused, world.refusals()) == ([], [])


def fail_once(reply: Any, failed: list[str], tx: Any, run: Any, outcome: Any) -> Any:
    host = run.result(PlaceStep).host
    if not failed:
        failed.append(host)
        raise StepFailed(Failure(message="this host is out of luck", elsewhere=True, host=host))
    return reply(tx, run, outcome)


def test_a_report_that_comes_again_when_all_is_over_is_no_lie(world: GatedWorld) -> None:
    server_id = world.active()
    host = str(world.server(server_id).host)
    booted = report(host, server_id, f"{saga_of(world, server_id)}/1/spawn/do")
    assert world.admits(host, booted)
    world.delete_server(TENANT, server_id)
    world.settle()
    deleted = report(host, server_id, f"{saga_of(world, server_id)}/1/remove/do")
    fresh = HostGate(world.db, world.clock, RefusalLog(world.db, world.clock))  # remembers nothing
    assert [fresh.admit(bus_user(host), word) for word in (booted, deleted, progress(host, server_id, "x/1/y/do"))] == [
        True, True, True,
    ]  # fmt: skip
    assert world.admits(host, PowerChanged(host=host, observed=observed(server_id)))
    assert world.refusals() == []


def test_a_machine_that_no_record_knows_may_be_spoken_of(world: GatedWorld) -> None:
    stray = observed("00000000-0000-4000-8000-000000000000")
    assert world.admits(A, started(A, stray))
    assert world.admits(A, HostObserved(host=A, observed=(stray,)))


def test_the_control_plane_may_say_anything(world: GatedWorld) -> None:
    for message in (SagaReady(saga_id="x"), Heartbeat(hosts=(A, B)), Place(request=request()), FleetChanged()):
        assert world.gate.admit("kilonova", message)


# --- a host that lies ---


def test_who_does_not_say_who_it_is_says_nothing(world: GatedWorld) -> None:
    assert not world.gate.admit("", Heartbeat(hosts=(A,)))
    assert not world.gate.admit("", SagaReady(saga_id="x"))
    assert {(one.sender, one.why) for one in world.refusals()} == {("nobody", NO_SENDER)}


@pytest.mark.parametrize(
    ("message", "why"),
    [
        (Heartbeat(hosts=(B,)), OTHER_HOST),
        (Heartbeat(hosts=(A, B)), OTHER_HOST),
        (started(B), OTHER_HOST),
        (HostObserved(host=B, observed=()), OTHER_HOST),
        (PowerChanged(host=B, observed=observed("x")), OTHER_HOST),
        (report(B, "x", "x/1/spawn/do"), OTHER_HOST),
        (progress(B, "x", "x/1/spawn/do"), OTHER_HOST),
        (HostStarted(host="host-0", boot_id="b", facts=FACTS, observed=(), seal_key="no key"), NO_KEY),
        (SagaReady(saga_id="x"), NOT_FOR_HOSTS),
        (Place(request=request()), NOT_FOR_HOSTS),
        (FleetChanged(), NOT_FOR_HOSTS),
        (Ok(), NOT_FOR_HOSTS),
    ],
)
def test_a_host_speaks_for_itself_and_says_only_what_hosts_say(world: GatedWorld, message: Message, why: str) -> None:
    assert not world.admits(A, message)
    assert [(one.sender, one.what, one.why) for one in world.refusals()] == [
        ("host.host-0", type(message).__name__, why)
    ]


def test_a_host_has_no_word_about_a_server_elsewhere(world: GatedWorld) -> None:
    server_id = world.active()
    before = world.server(server_id)
    liar = other_than(before.host)
    saga = saga_of(world, server_id)
    for lie in (
        PowerChanged(host=liar, observed=observed(server_id)),
        HostObserved(host=liar, observed=(observed(server_id),)),
        started(liar, observed(server_id)),
        report(liar, server_id, f"{saga}/1/spawn/do"),
        report(liar, server_id, f"{saga}/2/spawn/do"),
        report(liar, server_id, "power_state/x/1"),
        progress(liar, server_id, f"{saga}/1/spawn/do"),
    ):
        assert not world.admits(liar, lie), lie
    assert {(one.why, one.about) for one in world.refusals()} >= {(OTHER_SERVER, server_id)}
    assert world.server(server_id) == before


def test_a_host_cannot_end_the_command_of_another_by_naming_a_server_of_its_own(world: GatedWorld) -> None:
    mine = world.active()
    host = str(world.server(mine).host)
    theirs = world.active()
    assert not world.admits(host, report(host, mine, f"{saga_of(world, theirs)}/1/spawn/do"))
    assert [one.why for one in world.refusals()] == [OTHER_COMMAND]


@given(command_id=st.text(max_size=96) | st.from_regex(r"[0-9a-f-]{36}/[0-9]{1,9}/[a-z]+/(do|undo)", fullmatch=True))
def test_no_name_of_a_command_opens_the_gate(shared_world: tuple[GatedWorld, str], command_id: str) -> None:
    world, server_id = shared_world
    liar = other_than(world.server(server_id).host)
    assert not world.admits(liar, report(liar, server_id, command_id))


@pytest.fixture(scope="module")
def shared_world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[GatedWorld, str]]:
    folder = tmp_path_factory.mktemp("world")
    with databases.sqlite(folder) as db:
        world = GatedWorld(db, folder)
        yield world, world.active()


def test_a_host_cannot_make_us_look_for_servers_without_end(world: GatedWorld) -> None:
    many = tuple(observed(str(number)) for number in range(MOST_SERVERS + 1))
    assert world.admits(A, HostObserved(host=A, observed=many[1:]))
    assert not world.admits(A, HostObserved(host=A, observed=many))
    assert [one.why for one in world.refusals()] == [TOO_MANY]


# --- credentials ---


def test_who_has_no_credential_has_no_word_and_who_loses_it_none_for_long(world: GatedWorld) -> None:
    assert not world.admits("stranger", Heartbeat(hosts=("stranger",)))
    assert world.admits(A, Heartbeat(hosts=(A,)))
    with world.db.write() as tx:
        assert host_access.revoke(tx, A, world.clock.now())
    world.clock.advance(REFRESH_S + 0.1)
    assert not world.admits(A, Heartbeat(hosts=(A,)))
    assert {(one.sender, one.why) for one in world.refusals()} == {
        ("host.stranger", NO_CREDENTIAL), ("host.host-0", NO_CREDENTIAL),
    }  # fmt: skip


def test_a_host_that_has_just_joined_need_not_wait(world: GatedWorld) -> None:
    assert not world.admits("late", Heartbeat(hosts=("late",)))
    with world.db.write() as tx:
        host_access.give_credential(tx, "late", "hash", world.clock.now())
    world.clock.advance(1.0)
    assert world.admits("late", Heartbeat(hosts=("late",)))


def test_heartbeats_and_the_stages_of_a_boot_cost_no_query(world: GatedWorld) -> None:
    server_id = world.active()
    host = str(world.server(server_id).host)
    stage = progress(host, server_id, f"{saga_of(world, server_id)}/1/spawn/do")
    assert world.admits(host, Heartbeat(hosts=(host,)))
    assert world.admits(host, stage)
    with counted(world.db) as statements:
        for _ in range(100):
            assert world.admits(host, Heartbeat(hosts=(host,)))
            assert world.admits(host, stage)
    assert statements == []


def test_a_flood_of_refusals_costs_a_write_a_second_and_is_counted(world: GatedWorld) -> None:
    for _ in range(50):
        assert not world.admits(A, Heartbeat(hosts=(B,)))
    assert [one.times for one in world.refusals()] == [1]
    world.clock.advance(1.0)
    assert not world.admits(A, Heartbeat(hosts=(C,)))
    assert [(one.times, one.about) for one in world.refusals()] == [(51, C)]


@contextmanager
def counted(db: Database) -> Iterator[list[str]]:
    """Every statement meanwhile."""
    seen: list[str] = []

    def note(_connection: object, _cursor: object, statement: str, *_rest: object) -> None:
        seen.append(statement)

    event.listen(db.engine, "before_cursor_execute", note)
    try:
        yield seen
    finally:
        event.remove(db.engine, "before_cursor_execute", note)
