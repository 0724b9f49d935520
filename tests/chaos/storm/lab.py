"""The lab as a fleet to be stormed: real hosts with real guests, whose plugs can be pulled."""

from __future__ import annotations

import re
import signal
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Self

from lab import underlay
from lab.fleet import API_PORT, CONTROL_PLANE, FOLDER, FleetLab
from tests.chaos.storm.clouds import LEASE_S, StormCloud
from tests.fleet import Client

_HOSTS = 3
_ENGINES = {"postgresql": signal.SIGUSR1, "rabbitmq": signal.SIGUSR2}


class LabStorm(StormCloud):
    """Three hosts. Guests are few and boot from an empty disk: what storms is the fleet, and this machine has little to spare."""

    most, per_s = 4, 0.3
    armed_there = str(FOLDER / "armed")

    def __enter__(self) -> Self:
        self._lab = FleetLab()
        self._lab.env = {"KILONOVA_CONDUCTOR_LEASE_S": str(LEASE_S), "KILONOVA_FAULT": self.faults("first")}
        try:
            self._lab.up()
            hosts = [self._lab.add_host() for _ in range(_HOSTS)]
            password = self._lab.credentials()["admin"]
            self.clients = [Client(f"http://{underlay.CONTROL}:{API_PORT + n}", password) for n in range(2)]
            self.clients[0].lift_quotas()
            self.wanted = {"flavorRef": "42", "imageRef": self.clients[0].image(), "networks": "auto"}
        except BaseException:
            self._lab.down()
            raise
        self._agents = [f"agent-{number}" for number in range(1, _HOSTS + 1)]
        self.targets = {"agent": self._agents, "host": hosts} | {name: [name] for name in _ENGINES}
        for name in CONTROL_PLANE:
            self.targets.setdefault(name.partition("-")[0], []).append(name)
        return self

    def __exit__(self, *_: object) -> None:
        for client in self.clients:
            client.http.close()
        self._lab.down()

    def kill(self, name: str) -> None:
        self._lab.kill(name)

    def start(self, name: str, fuse: str = "") -> None:
        self._lab.start(name, KILONOVA_FAULT=self.faults(name, fuse))

    def freeze(self, name: str) -> None:
        self._lab.freeze(name)

    def thaw(self, name: str) -> None:
        self._lab.thaw(name)

    def cut(self, host: str) -> None:
        underlay.cut(self._lab.control, _number(host), off=True)

    def mend(self, host: str) -> None:
        underlay.cut(self._lab.control, _number(host), off=False)

    def stop_engine(self, name: str) -> None:
        self._lab.restart_engine(_ENGINES[name])

    def start_engine(self, name: str) -> None:
        """It comes back by itself."""

    def armed(self) -> list[Path]:
        return [place.path(Path(self.armed_there)) for place in (self._lab.control, *self._lab.hosts)]

    def wait_ready(self) -> None:
        self._lab.wait_until_ready(*CONTROL_PLANE)
        for agent in self._agents:
            self._lab.wait_until_up(_number(agent))

    def logs(self) -> Iterable[Path]:
        return [self._lab.log(name) for name in (*CONTROL_PLANE, *self._agents)]

    def runs(self, servers: Iterable[dict[str, Any]]) -> dict[str, str]:
        """Each guest's process, on its host."""
        found = {}
        for number, host in enumerate(self._lab.hosts, start=1):
            for line in host.run("pgrep", "-a", "qemu-system", check=False).splitlines():
                if uuid := re.search(r"-uuid (\S+)", line):
                    found[uuid[1]] = f"host-{number}, process {line.split()[0]}"
        return {server["id"]: found.get(server["id"], "no process") for server in servers}


def _number(name: str) -> int:
    return int(name.partition("-")[2])
