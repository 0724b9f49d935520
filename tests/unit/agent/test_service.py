from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from kilonova.agent.hypervisor.sim.driver import Pace, SimDriver, SimSettings
from kilonova.agent.service import Agent, HostIdentity
from kilonova.domain.host import HostFacts
from kilonova.domain.report import Observed
from kilonova.domain.server import PowerState
from kilonova.rpc.bus import NoAnswer
from kilonova.rpc.commands import RemoveServer, SetPower
from kilonova.rpc.inprocess import InProcessBus
from kilonova.rpc.messages import (
    ConsoleOutput,
    Failed,
    GetConsoleOutput,
    HostObserved,
    HostStarted,
    HostState,
    Inventory,
    Message,
    Ok,
    PowerChanged,
    Report,
    TakeInventory,
)
from tests.fakes.machines import ensure_server
from tests.world.clock import ManualClock

FACTS = HostFacts(
    vcpus=4, ram_mib=4096, disk_gib=10, hypervisor_type="kilonova-sim", hypervisor_version=1, accelerator="sim",
    arch="x86_64",
)  # fmt: skip


class Cloud:
    """The control plane as an agent sees it: it answers, and remembers what it was told."""

    def __init__(self, folder: Path) -> None:
        self.bus, self.clock, self.folder = InProcessBus(), ManualClock(), folder
        self.told: list[Message] = []
        self.answers = True
        self.bus.serve("conductor", self._hear, workers=0)
        self.agent = self.start_agent()

    def start_agent(self) -> Agent:
        settings = SimSettings(facts=FACTS, pace=Pace(spread=0.0), state_dir=self.folder)
        self.driver = SimDriver(settings, self.clock)
        agent = Agent(HostIdentity("h", "boot-1"), self.driver.driver(), self.bus, self.clock, workers=0)
        agent.start()
        return agent

    def send(self, message: Message) -> Message:
        return self.bus.call("agent.h", message)

    def reports(self) -> list[Report]:
        return [message for message in self.told if isinstance(message, Report)]

    def _hear(self, message: Message) -> Message | None:
        self.told.append(message)
        if isinstance(message, HostStarted):
            return HostState() if self.answers else None
        return Ok()


@pytest.fixture
def cloud(tmp_path: Path) -> Cloud:
    return Cloud(tmp_path / "host")


def test_a_command_is_carried_out_and_reported_once(cloud: Cloud) -> None:
    cloud.send(ensure_server("s", generation=1, command_id="c1"))
    cloud.send(ensure_server("s", generation=1, command_id="c1"))
    cloud.clock.advance(60)
    (report,) = cloud.reports()
    assert (report.command_id, report.outcome.power_state) == ("c1", PowerState.RUNNING)


def test_a_command_that_was_carried_out_and_comes_again_is_reported_again(cloud: Cloud) -> None:
    for _ in range(2):
        cloud.send(ensure_server("s", generation=1, command_id="c1"))
        cloud.clock.advance(60)
    assert [report.outcome.fault for report in cloud.reports()] == [None, None]
    assert len(cloud.driver.observe()) == 1


def test_an_older_command_than_the_host_has_seen_is_refused(cloud: Cloud) -> None:
    cloud.send(RemoveServer(command_id="c2", server_id="s", generation=2))
    cloud.clock.advance(60)
    cloud.send(ensure_server("s", generation=1, command_id="c1"))
    cloud.clock.advance(60)
    fault = cloud.reports()[-1].outcome.fault
    assert fault is not None
    assert fault.code == 409
    assert not cloud.driver.observe()


def test_a_host_says_what_runs_each_minute_even_if_the_bus_lost_or_doubled_a_message(cloud: Cloud) -> None:
    def said() -> int:
        return sum(isinstance(message, HostObserved) for message in cloud.told)

    cloud.agent.observe()
    assert said() == 1
    cloud.clock.advance(120)
    assert said() == 3
    deliver, cloud.bus.cast = cloud.bus.cast, lambda _topic, _message: None  # type: ignore[method-assign]
    cloud.clock.advance(60)
    cloud.bus.cast = deliver  # type: ignore[method-assign]
    cloud.clock.advance(60)
    assert said() == 4


def test_what_was_seen_is_remembered_by_the_next_agent_of_the_host(cloud: Cloud) -> None:
    cloud.send(ensure_server("s", generation=5, command_id="c5"))
    cloud.send(RemoveServer(command_id="c6", server_id="s", generation=6))
    cloud.clock.advance(60)
    cloud.agent.stop()
    cloud.start_agent()
    cloud.send(ensure_server("s", generation=5, command_id="c5"))
    cloud.clock.advance(60)
    assert cloud.reports()[-1].outcome.fault is not None
    assert not cloud.driver.observe()


def test_commands_about_one_server_are_carried_out_in_order(cloud: Cloud) -> None:
    cloud.send(ensure_server("s", generation=1, command_id="c1"))
    cloud.send(SetPower(command_id="c2", server_id="s", generation=2, target=PowerState.SHUTDOWN))
    cloud.send(RemoveServer(command_id="c3", server_id="s", generation=3))
    cloud.clock.advance(60)
    assert [report.command_id for report in cloud.reports()] == ["c1", "c2", "c3"]
    assert not cloud.driver.observe()


def test_the_control_plane_is_asked_again_until_it_answers(tmp_path: Path) -> None:
    cloud = Cloud(tmp_path / "host")
    cloud.agent.stop()
    cloud.told.clear()
    cloud.answers = False
    cloud.start_agent()
    cloud.clock.advance(5)
    cloud.answers = True
    cloud.clock.advance(5)
    joined = [message for message in cloud.told if isinstance(message, HostStarted)]
    assert len(joined) == 4
    assert joined[-1].boot_id == "boot-1"


def test_commands_wait_until_the_host_has_joined(tmp_path: Path) -> None:
    cloud = Cloud(tmp_path / "host")
    cloud.agent.stop()
    cloud.told.clear()
    cloud.answers = False
    cloud.start_agent()
    cloud.send(ensure_server("s", generation=1, command_id="c1"))
    cloud.clock.advance(1.5)
    assert not cloud.driver.observe()
    cloud.answers = True
    cloud.clock.advance(60)
    assert [report.command_id for report in cloud.reports()] == ["c1"]
    assert [seen.server_id for seen in cloud.driver.observe()] == ["s"]


class TalkativeDriver(SimDriver):
    """Tells the state of a machine as soon as it is watched, as libvirt's does of all it finds."""

    def watch(self, changed: Callable[[Observed], None]) -> None:
        changed(Observed(server_id="s", power_state=PowerState.SHUTDOWN))


def test_no_machine_is_told_to_have_stopped_before_the_cloud_knows_that_its_host_was_restarted(tmp_path: Path) -> None:
    cloud = Cloud(tmp_path / "host")
    cloud.agent.stop()
    cloud.told.clear()
    cloud.answers = False
    driver = TalkativeDriver(SimSettings(facts=FACTS), cloud.clock)
    Agent(HostIdentity("h", "boot-2"), driver.driver(), cloud.bus, cloud.clock, workers=0).start()
    cloud.clock.advance(3)
    cloud.answers = True
    cloud.clock.advance(3)
    assert [type(message) for message in cloud.told] == [HostStarted, HostStarted, HostStarted, PowerChanged]


def test_questions_are_answered(cloud: Cloud) -> None:
    cloud.send(ensure_server("s", generation=1, command_id="c1"))
    cloud.clock.advance(60)
    output = cloud.send(GetConsoleOutput(server_id="s", lines=1))
    assert isinstance(output, ConsoleOutput)
    assert "login" in output.output
    assert isinstance(cloud.send(GetConsoleOutput(server_id="nobody")), Failed)
    assert cloud.send(TakeInventory()) == Inventory(machines=("s",))


def test_a_command_that_the_driver_did_not_take_is_not_under_way_when_it_comes_again(cloud: Cloud) -> None:
    command = ensure_server("s", generation=1, command_id="c1")
    submit = cloud.driver.submit

    def broken(*_: object) -> None:
        raise RuntimeError("no thread to be had")

    cloud.driver.submit = broken  # type: ignore[method-assign]
    with pytest.raises(NoAnswer):
        cloud.send(command)
    cloud.driver.submit = submit  # type: ignore[method-assign]
    cloud.send(command)
    cloud.clock.advance(60)
    assert [report.outcome.fault for report in cloud.reports()] == [None]
