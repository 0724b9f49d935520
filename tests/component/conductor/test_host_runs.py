"""What a host said before it was restarted, heard after: no guest counts as stopped by its own will because of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from kilonova.domain.report import Observed
from kilonova.domain.server import Intent, PowerState
from kilonova.rpc.messages import HostObserved, Message, PowerChanged, Report
from kilonova.store.database import Database
from tests.world.plane import World


@pytest.fixture
def world(database: Database, tmp_path: Path) -> World:
    return World(database, tmp_path, hosts_count=1)


def cut_power(world: World) -> None:
    """The host goes down and comes up, and the control plane has been away meanwhile."""
    world.drivers["host-0"].lose_power()
    world.boot_ids["host-0"] = "second"
    world.kill()


def say(world: World, message: Message) -> None:
    world.bus.cast("conductor", message)


def runs(world: World, server_id: str) -> bool:
    server = world.server(server_id)
    there = {seen.server_id: seen.power_state for seen in world.drivers["host-0"].observe()}
    return (server.intent, server.power_state, there.get(server_id)) == (
        Intent.ACTIVE, PowerState.RUNNING, PowerState.RUNNING,
    )  # fmt: skip


def heal(world: World) -> None:
    """A pass of what heals: the host looks, and what should run is started."""
    world.settle(65.0)
    world.power.activate()
    world.settle(65.0)


def test_a_report_of_the_run_before_is_no_proof_that_the_guest_runs(world: World) -> None:
    kept: list[Message] = []
    cast = world.bus.cast
    world.bus.cast = lambda topic, message: (
        kept.append(message) if isinstance(message, Report) else cast(topic, message)
    )  # type: ignore[method-assign]
    server_id = world.boot()
    world.settle(15.0)
    assert kept
    cut_power(world)
    say(world, kept[0])
    world.settle(5.0)
    assert world.server(server_id).power_state is PowerState.NOSTATE
    heal(world)
    assert runs(world, server_id)


@pytest.mark.parametrize("state", [PowerState.SHUTDOWN, PowerState.RUNNING])
def test_what_a_host_saw_in_its_run_before_stops_nobody(world: World, state: PowerState) -> None:
    server_id = world.boot()
    world.settle(30.0)
    cut_power(world)
    world.power.activate()
    world.settle(5.0)
    late = Observed(server_id=server_id, power_state=state)
    say(world, HostObserved(host="host-0", observed=(late,), boot_id="first"))
    say(world, PowerChanged(host="host-0", observed=late, boot_id="first"))
    heal(world)
    assert runs(world, server_id)


def test_a_guest_that_stops_in_this_run_is_stopped(world: World) -> None:
    server_id = world.boot()
    world.settle(30.0)
    stopped = Observed(server_id=server_id, power_state=PowerState.SHUTDOWN)
    say(world, PowerChanged(host="host-0", observed=stopped, boot_id="first"))
    assert world.server(server_id).intent is Intent.STOPPED
