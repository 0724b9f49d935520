"""What services and hypervisors say of hosts is true: up while they are heard of, down when they are not, by one clock."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from kilonova.agent.heartbeat import HeartbeatSender
from kilonova.agent.hypervisor.sim.driver import Pace, SimDriver, SimSettings
from kilonova.agent.service import Agent, HostIdentity
from kilonova.api.compute.policies import POLICIES
from kilonova.api.compute.service import ComputePorts, compute_service
from kilonova.api.framework import Policy, Rim
from kilonova.domain.host import ALIVE_WITHIN_S
from kilonova.domain.status import status_of
from kilonova.network.resolve import NicResolver
from kilonova.store.queries import actions, hosts
from kilonova.store.queries.keyset import Keyset
from tests import databases
from tests.apiclient import client
from tests.fakes.auth import ADMIN, FakeAuthenticator
from tests.story.compute.cloud import FakeProjects
from tests.world.clock import ManualClock
from tests.world.plane import FACTS, NETWORK, TENANT, OneImage, World

A, B = "host-0", "host-1"
V = {"OpenStack-API-Version": "compute 2.53"}


class WrongClock(ManualClock):
    """A host's own clock: it goes as fast as everybody's and shows another time."""

    def __init__(self, right: ManualClock, off: timedelta) -> None:
        super().__init__()
        self._right, self._off = right, off

    def now(self) -> datetime:
        return self._right.now() + self._off

    def monotonic(self) -> float:
        return self._right.monotonic() + self._off.total_seconds()

    def call_later(self, delay_s: float, fn: Callable[[], None]) -> Callable[[], None]:
        return self._right.call_later(delay_s, fn)


class HostsApart(World):
    """A world where each host has a heart and a clock of its own."""

    off = timedelta(0)

    def start(self) -> None:
        self.hearts: dict[str, HeartbeatSender] = {}
        super().start()

    def _join(self, name: str) -> SimDriver:
        clock = WrongClock(self.clock, self.off)
        driver = SimDriver(SimSettings(facts=FACTS, pace=Pace(spread=0.0), state_dir=self.folder / name), clock)
        Agent(HostIdentity(name, self.boot_ids[name]), driver.driver(), self.bus, clock, workers=0).start()
        self.hearts[name] = HeartbeatSender((name,), self.bus, clock)
        return driver


@dataclass
class Cloud:
    """A world, and an administrator at its compute API."""

    world: HostsApart
    http: TestClient

    def services(self) -> dict[str, dict[str, Any]]:
        rows = self.http.get("/compute/v2.1/os-services", headers=V, params={"binary": "nova-compute"}).json()[
            "services"
        ]
        return {row["host"]: row for row in rows}

    def hypervisors(self) -> dict[str, str]:
        rows = self.http.get("/compute/v2.1/os-hypervisors", headers=V).json()["hypervisors"]
        return {row["hypervisor_hostname"]: row["state"] for row in rows}

    def switch(self, host: str, **change: Any) -> None:
        ident = self.services()[host]["id"]
        answer = self.http.put(f"/compute/v2.1/os-services/{ident}", headers=V, json=change)
        assert answer.status_code == 200, answer.text

    def boot(self) -> str | None:
        """The host that a new server is active on; None when there is none for it."""
        self.world.scheduler.refresh()  # as it does every few seconds
        server_id = self.world.boot()
        self.world.settle(20)
        server = self.world.server(server_id)
        host = server.host if status_of(server).status == "ACTIVE" else None
        self.world.delete_server(TENANT, server_id)
        self.world.settle(20)
        return host


@pytest.fixture(params=[timedelta(0), timedelta(hours=1), timedelta(hours=-1)], ids=["right", "fast", "slow"])
def cloud(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Cloud]:
    """Hosts whose clocks are right, an hour fast, an hour slow: it must make no difference."""
    with databases.sqlite(tmp_path) as database:
        HostsApart.off = request.param
        world = HostsApart(database, tmp_path)
        ports = ComputePorts(
            runtime=world.runtime, images=OneImage(world.clock),
            nics=NicResolver(world.clock, world.ids, NETWORK), networks=world.networks, projects=FakeProjects(),
        )  # fmt: skip
        rim = Rim([compute_service(ports)], authenticator=FakeAuthenticator(), policy=Policy(POLICIES))
        world.clock.forget_timers()  # the one heart that World has for all
        for heart in world.hearts.values():
            heart.start()
        with client(rim, ADMIN) as http:
            yield Cloud(world, http)


def test_a_host_that_falls_silent_is_down_takes_no_servers_and_comes_back(cloud: Cloud) -> None:
    assert {row["state"] for row in cloud.services().values()} == {"up"}
    cloud.world.hearts[A].stop()
    cloud.world.clock.advance(ALIVE_WITHIN_S - 1)
    assert cloud.services()[A]["state"] == "up"
    cloud.world.clock.advance(2)
    assert {name: row["state"] for name, row in cloud.services().items()} == {A: "down", B: "up"}
    assert cloud.hypervisors() == {A: "down", B: "up"}
    assert {cloud.boot() for _ in range(4)} == {B}
    HeartbeatSender((A,), cloud.world.bus, cloud.world.clock).start()
    assert cloud.services()[A]["state"] == "up"
    assert cloud.hypervisors() == {A: "up", B: "up"}
    cloud.switch(B, status="disabled")
    assert cloud.boot() == A


def test_when_all_are_silent_there_is_no_host(cloud: Cloud) -> None:
    for heart in cloud.world.hearts.values():
        heart.stop()
    cloud.world.clock.advance(ALIVE_WITHIN_S + 1)
    assert cloud.boot() is None


def test_a_host_that_is_disabled_says_why_and_takes_no_servers(cloud: Cloud) -> None:
    cloud.switch(A, status="disabled", disabled_reason="its fan is loud")
    row = cloud.services()[A]
    assert (row["status"], row["disabled_reason"], row["state"]) == ("disabled", "its fan is loud", "up")
    assert {cloud.boot() for _ in range(4)} == {B}
    cloud.switch(A, status="enabled")
    cloud.switch(B, status="disabled")
    assert cloud.boot() == A


def test_a_host_that_is_forced_down_is_down_whatever_it_says(cloud: Cloud) -> None:
    cloud.switch(A, forced_down=True)
    cloud.world.clock.advance(20)  # it goes on beating
    assert (cloud.services()[A]["state"], cloud.services()[A]["forced_down"]) == ("down", True)
    assert cloud.hypervisors()[A] == "down"
    assert {cloud.boot() for _ in range(4)} == {B}
    cloud.switch(A, forced_down=False)
    assert cloud.services()[A]["state"] == "up"


def test_a_host_that_is_down_is_heard_of_when_it_last_was(cloud: Cloud) -> None:
    cloud.world.hearts[A].stop()
    with cloud.world.db.read() as tx:
        found = hosts.by_name(tx, A)
    assert found is not None
    assert found.seen_at == found.started_at == cloud.world.clock.now()


def test_a_boots_timeline_is_in_the_control_planes_time(cloud: Cloud) -> None:
    began = cloud.world.clock.now()
    server_id = cloud.world.boot()
    cloud.world.settle(20)
    with cloud.world.db.read() as tx:
        action = actions.page_of(tx, server_id, Keyset())[0]
        steps = actions.steps(tx, action)
    assert {step.name for step in steps} >= {"place", "spawn", "activate"}
    assert all(began <= step.started_at <= cloud.world.clock.now() for step in steps)
