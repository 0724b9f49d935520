"""A world whose hosts speak through the gate, as over RabbitMQ: each as a user of its own, all with credentials."""

from __future__ import annotations

from collections.abc import Callable, Collection
from pathlib import Path

from kilonova.agent.hypervisor.sim.driver import Pace, SimDriver, SimSettings
from kilonova.agent.service import Agent, HostIdentity
from kilonova.conductor.host_gate import HostGate
from kilonova.conductor.refusals import RefusalLog
from kilonova.domain.host_access import Refusal, bus_user
from kilonova.domain.status import status_of
from kilonova.rpc.bus import Handler
from kilonova.rpc.messages import Message
from kilonova.store.database import Database
from kilonova.store.queries import host_access
from tests.world.clock import ManualClock
from tests.world.plane import FACTS, World

A, B, C = "host-0", "host-1", "host-2"


class AsHost:
    """The bus as a host's agent has it: all that it sends to the control plane goes through the gate, and comes again later."""

    def __init__(self, world: GatedWorld, name: str) -> None:
        self._world, self._bus, self._user = world, world.bus, bus_user(name)

    def serve(self, topic: str, handler: Handler, *, workers: int = 1) -> Callable[[], None]:
        return self._bus.serve(topic, handler, workers=workers)

    def cast(self, topic: str, message: Message) -> None:
        if topic.startswith("agent."):
            self._bus.cast(topic, message)
            return
        self._say(topic, message)
        for late_s in self._world.again_after_s:
            self._world.clock.call_later(late_s, lambda: self._say(topic, message))

    def call(self, topic: str, message: Message, *, timeout_s: float = 10.0) -> Message:
        assert self._admits(message)
        return self._bus.call(topic, message, timeout_s=timeout_s)

    def follow(self, topic: str, subjects: Collection[str]) -> None:
        self._bus.follow(topic, subjects)

    def fanout(self, topic: str, message: Message) -> None:
        raise AssertionError("a host has nothing to tell everybody")

    def _say(self, topic: str, message: Message) -> None:
        if self._admits(message):
            self._bus.cast(topic, message)

    def _admits(self, message: Message) -> bool:
        if self._world.gate.admit(self._user, message):
            return True
        self._world.refused.append(message)
        return False


class GatedWorld(World):
    """A world whose agents speak through the gate."""

    def __init__(self, database: Database, folder: Path) -> None:
        self.refused: list[Message] = []
        self.again_after_s: tuple[float, ...] = ()  # when every word of a host comes once more
        with database.write() as tx:
            for name in (A, B, C):
                host_access.give_credential(tx, name, "hash", ManualClock().now())
        super().__init__(database, folder, hosts_count=3)

    def start(self) -> None:
        self.gate = HostGate(self.db, self.clock, RefusalLog(self.db, self.clock))
        super().start()

    def _join(self, name: str) -> SimDriver:
        driver = SimDriver(SimSettings(facts=FACTS, pace=Pace(spread=0.0), state_dir=self.folder / name), self.clock)
        agent = Agent(
            HostIdentity(name, self.boot_ids[name]), driver.driver(), AsHost(self, name), self.clock, workers=0
        )
        agent.start()
        return driver

    def admits(self, host: str, message: Message) -> bool:
        return self.gate.admit(bus_user(host), message)

    def refusals(self) -> list[Refusal]:
        with self.db.read() as tx:
            return host_access.refused(tx)

    def active(self) -> str:
        """A server that is up; its id."""
        server_id = self.boot()
        self.settle()
        assert status_of(self.server(server_id)).status == "ACTIVE"
        return server_id
