"""What a host says of a server that has left it changes nothing; and nonsense is told from words before anybody acts on it."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import pytest

from kilonova.conductor.host_gate import NO_MACHINE, NO_STAGE
from kilonova.conductor.kernel.definition import Definition, Failure, StepFailed
from kilonova.conductor.sagas.boot import PlaceStep
from kilonova.domain.report import Observed, Outcome
from kilonova.domain.saga import about_server
from kilonova.domain.server import PowerState
from kilonova.rpc.messages import Heartbeat, HostObserved, HostStarted, Message, PowerChanged, Progress, Report
from kilonova.store.database import Database
from kilonova.store.queries import sagas
from tests.world.gated import GatedWorld
from tests.world.plane import FACTS


def fail_once(reply: Any, failed: list[str], tx: Any, run: Any, outcome: Any) -> Any:
    host = run.result(PlaceStep).host
    if not failed:
        failed.append(host)
        raise StepFailed(Failure(message="this host is out of luck", elsewhere=True, host=host))
    return reply(tx, run, outcome)


@pytest.fixture
def moved(database: Database, tmp_path: Path) -> tuple[GatedWorld, str, str]:
    """A server that was begun on a host and made on another; its id, and the first host."""
    world, failed = GatedWorld(database, tmp_path), list[str]()

    def edit(definition: Definition) -> Definition:
        for step in definition.steps:
            if step.name == "spawn":
                step.reply = partial(fail_once, step.reply, failed)  # type: ignore[method-assign]
        return definition

    world.edit = edit
    world.kill()
    server_id = world.active()
    assert world.server(server_id).host != failed[0]
    return world, server_id, failed[0]


@pytest.mark.parametrize(("stage", "percent"), [("x" * 33, 1), ("a\0b", 1), ("", 1), ("image", -1), ("image", 2**40)])
def test_a_stage_that_is_none_is_not_written_with_the_others(
    moved: tuple[GatedWorld, str, str], stage: str, percent: int
) -> None:
    world, server_id, _ = moved
    host = str(world.server(server_id).host)
    word = Progress(host=host, command_id="x/1/spawn/do", subject=about_server(server_id), stage="image", percent=1)
    assert world.admits(host, word)
    assert not world.admits(host, msgspec.structs.replace(word, stage=stage, percent=percent))
    assert [one.why for one in world.refusals()] == [NO_STAGE]


@pytest.mark.parametrize("odd", ["a\0b", "", " ", "é", "\n", "x" * 97])
def test_what_is_no_id_is_refused_and_written_down_whatever_is_in_it(
    moved: tuple[GatedWorld, str, str], odd: str
) -> None:
    world, server_id, first = moved
    outcome = Outcome(power_state=PowerState.SHUTDOWN)
    for word in (
        HostObserved(host=first, observed=(Observed(server_id=odd, power_state=PowerState.RUNNING),)),
        Report(host=first, command_id=odd, subject=about_server(server_id), generation=1, outcome=outcome),
        Report(host=first, command_id="x", subject=about_server(odd), generation=1, outcome=outcome),
        Heartbeat(hosts=(odd,)),
    ):
        assert not world.admits(first, word)
    assert {one.what for one in world.refusals()} == {"HostObserved", "Report", "Heartbeat"}


@pytest.mark.parametrize(
    "odd",
    [{"vcpus": -1}, {"ram_mib": 2**63}, {"disk_gib": 10**30}, {"hypervisor_version": 2**31},
     {"cpu_topology": {"cores": -4}}, {"stats": {"x": "y" * 70_000}}, {"traits": ("T" * 100,) * 1000}],
)  # fmt: skip
def test_a_host_that_is_no_machine_does_not_reach_the_scheduler(
    moved: tuple[GatedWorld, str, str], odd: dict[str, Any]
) -> None:
    world, _, first = moved
    started = HostStarted(host=first, boot_id="b", facts=FACTS, observed=())
    assert world.admits(first, started)
    assert not world.admits(first, msgspec.structs.replace(started, facts=msgspec.structs.replace(FACTS, **odd)))
    assert [one.why for one in world.refusals()] == [NO_MACHINE]


def test_a_host_that_a_server_has_left_cannot_change_it(moved: tuple[GatedWorld, str, str]) -> None:
    world, server_id, first = moved
    before = world.server(server_id)
    with world.db.read() as tx:
        boot = next(iter(sagas.of_subject(tx, about_server(server_id))))
    run = world.boot_ids[first]
    down = Observed(server_id=server_id, power_state=PowerState.SHUTDOWN)
    outcome = Outcome(power_state=PowerState.SHUTDOWN, boot_id=run)
    words: list[Message] = [PowerChanged(host=first, observed=down, boot_id=run)]
    words += [
        Report(
            host=first,
            command_id=f"{boot.id}/1/spawn/{way}",
            subject=about_server(server_id),
            generation=generation,
            outcome=outcome,
        )
        for way in ("do", "undo")
        for generation in (before.generation - 1, before.generation, before.generation + 1)
    ]
    for word in words:
        assert world.admits(first, word)
        world.bus.cast("conductor", word)
    assert world.server(server_id) == before
    world.bus.cast(
        "conductor", HostObserved(host=first, observed=(down,), boot_id=run)
    )  # left behind: it is told to remove it
    assert world.server(server_id).power_state is PowerState.RUNNING
    assert [seen.server_id for seen in world.drivers[str(before.host)].observe()] == [server_id]
