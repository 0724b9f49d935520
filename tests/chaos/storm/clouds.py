"""What a storm needs of a fleet; and a fleet of processes on this machine, with simulated hosts."""

from __future__ import annotations

import os
import signal
import tempfile
from abc import abstractmethod
from collections import Counter
from collections.abc import Iterable
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path
from typing import Any, Self

from tests.fleet import Client, Engines, Node

_CONTROL_PLANE = ("api-1", "api-2", "conductor-1", "conductor-2", "scheduler-1")
_AGENTS = ("agent-1", "agent-2", "agent-3")
_HOSTS_EACH = 4
LEASE_S = 5


class StormCloud(AbstractContextManager["StormCloud"]):
    """
    Processes, engines and hosts, by name. `targets` are names by what they are, `most` servers are what it has room for.

    `rate` of the messages meet a fault while they are armed; which, says the seed.
    """

    targets: dict[str, list[str]]
    most: int
    per_s: float
    clients: list[Client]
    wanted: dict[str, Any]  # of a server
    armed_there: str  # the file that arms message faults, as processes are told of it

    def __init__(self, seed: int, rate: float) -> None:
        self._seed, self._rate = seed, rate
        self._starts: Counter[str] = Counter()

    def faults(self, name: str, fuse: str = "") -> str:
        """The fault points of a process that is about to be started."""
        self._starts[name] += 1
        messages = f"messages:{self._seed}.{name}.{self._starts[name]}:{self._rate}:{self.armed_there}"
        return ",".join(filter(None, (fuse, messages)))

    @abstractmethod
    def kill(self, name: str) -> None:
        """A process, as kill -9 does; nothing if it has died by itself."""

    @abstractmethod
    def start(self, name: str, fuse: str = "") -> None:
        """A process that does not run; `fuse` is the point where it is to end itself."""

    @abstractmethod
    def freeze(self, name: str) -> None:
        """Let a process stand still."""

    @abstractmethod
    def thaw(self, name: str) -> None:
        """Let it go on."""

    @abstractmethod
    def cut(self, host: str) -> None:
        """Let a host reach nobody."""

    @abstractmethod
    def mend(self, host: str) -> None:
        """Let it reach everybody again."""

    @abstractmethod
    def stop_engine(self, name: str) -> None:
        """PostgreSQL or RabbitMQ, as a power cut does."""

    @abstractmethod
    def start_engine(self, name: str) -> None:
        """Bring it back."""

    @abstractmethod
    def armed(self) -> list[Path]:
        """The file that arms message faults, in every place where there are processes, as we can open it."""

    @abstractmethod
    def wait_ready(self) -> None:
        """Wait until every process can do its work. AssertionError when one has ended by itself."""

    @abstractmethod
    def logs(self) -> Iterable[Path]:
        """Of every process."""

    def runs(self, servers: Iterable[dict[str, Any]]) -> dict[str, str]:
        """By server id, what shows that a machine is the same one as before."""
        return {server["id"]: server["OS-EXT-SRV-ATTR:host"] for server in servers}


class SimStorm(StormCloud):
    """Two APIs and conductors, a scheduler, and three agents with four simulated hosts each, which are cut off together."""

    most, per_s = 24, 2.0

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            self._folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="kilonova-storm-")))
            self.armed_there = str(self._folder / "armed")
            self.engines = stack.enter_context(Engines())
            self.fleet = stack.enter_context(self.engines.fleet(self._folder))
            self._bring_up()
            self._stack = stack.pop_all()
        return self

    def _bring_up(self) -> None:
        fleet = self.fleet
        fleet.env |= {"KILONOVA_CONDUCTOR_LEASE_S": str(LEASE_S), "KILONOVA_AGENT_HOSTS": str(_HOSTS_EACH)}
        fleet.db("upgrade")
        self.targets = {"rabbitmq": ["rabbitmq"], "postgresql": ["postgresql"]}
        for name in (*_CONTROL_PLANE, *_AGENTS):
            kind = name.partition("-")[0]
            fleet.start(kind, KILONOVA_FAULT=self.faults(name))
            self.targets.setdefault(kind, []).append(name)
        self.targets["host"] = self.targets["agent"]
        fleet.wait_ready()
        fleet.wait_hosts(len(_AGENTS) * _HOSTS_EACH)
        self.clients = [fleet.client(name) for name in self.targets["api"]]
        self.clients[0].lift_quotas()
        self.wanted = {"flavorRef": "42", "imageRef": self.clients[0].image(), "networks": "auto"}

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def kill(self, name: str) -> None:
        self._node(name).kill()

    def start(self, name: str, fuse: str = "") -> None:
        self._node(name).env["KILONOVA_FAULT"] = self.faults(name, fuse)
        self._node(name).start()

    def freeze(self, name: str) -> None:
        os.kill(self._node(name).pid, signal.SIGSTOP)

    def thaw(self, name: str) -> None:
        os.kill(self._node(name).pid, signal.SIGCONT)

    def cut(self, host: str) -> None:
        self.freeze(host)

    def mend(self, host: str) -> None:
        self.thaw(host)

    def stop_engine(self, name: str) -> None:
        assert self.engines.cluster is not None
        assert self.engines.broker is not None
        if name == "postgresql":
            self.engines.cluster.go_away()
        else:
            self.engines.broker.kill()

    def start_engine(self, name: str) -> None:
        assert self.engines.cluster is not None
        assert self.engines.broker is not None
        if name == "postgresql":
            self.engines.cluster.come_back()
        else:
            self.engines.broker.start()

    def armed(self) -> list[Path]:
        return [Path(self.armed_there)]

    def wait_ready(self) -> None:
        self.fleet.wait_ready()

    def logs(self) -> Iterable[Path]:
        return [node.log for node in self.fleet.nodes.values()]

    def _node(self, name: str) -> Node:
        return self.fleet.nodes[name]
