"""A fleet's processes by name, and the engines that they stand on."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from tests import brokers, databases
from tests.fleet.client import Client
from tests.fleet.node import READY_S, Node
from tests.waiting import wait_until

_CONFIG = """\
[database]
url = "{database}"
[bus]
url = "{bus}"
[api]
credentials_file = "{folder}/credentials.json"
policy_file = "{folder}/policy.yaml"
[agent]
hypervisor = "sim"
pace = 0.1
data_dir = "{folder}/hosts"
credential_dir = "{folder}/nothing"
[images]
folder = "{folder}/images"
"""


def password_in(folder: Path) -> str:
    """The admin's, as the first start left it."""
    return str(json.loads((folder / "credentials.json").read_bytes())["admin_password"])


class Fleet:
    """Processes by name: `api-1`, `api-2`, `conductor-1`… Made empty."""

    def __init__(self, folder: Path, database_url: str, bus_url: str) -> None:
        self.folder, self.config = folder, folder / "kilonova.toml"
        self.database_url, self.bus_url = database_url, bus_url
        self.nodes: dict[str, Node] = {}
        self._clients: dict[str, Client] = {}
        (folder / "images").mkdir(exist_ok=True)
        self.config.write_text(_CONFIG.format(database=database_url, bus=bus_url, folder=folder))
        self.env: dict[str, str] = {}

    def db(self, *words: str) -> subprocess.CompletedProcess[str]:
        """`kilonova db …`, which must succeed."""
        command = [sys.executable, "-m", "kilonova.cli.main", "db", *words, "--config", str(self.config)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False, cwd="/")
        assert done.returncode == 0, done.stderr
        return done

    def start(self, *kinds: str, **env: str) -> list[Node]:
        """Start a process of each kind; `env` is theirs. They are ready a little later."""
        started = []
        for kind in kinds:
            number = sum(node.kind == kind for node in self.nodes.values()) + 1
            node = Node(kind, f"{kind}-{number}", self.config, self.env | env)
            self.nodes[node.name] = node
            if node.name == "api-1":  # the catalog names one URL, as it would a balancer's
                node.env["KILONOVA_API_PUBLIC_URL"] = self.env["KILONOVA_API_PUBLIC_URL"] = node.url
            node.start()
            started.append(node)
        return started

    def wait_ready(self, seconds: float = READY_S) -> None:
        """Wait until every process can do its work."""
        for node in self.nodes.values():
            node.wait_ready(seconds)

    def client(self, name: str = "api-1") -> Client:
        """The admin, at this API."""
        if name not in self._clients:
            self._clients[name] = Client(self.nodes[name].url, password_in(self.folder))
        return self._clients[name]

    def wait_hosts(self, count: int, seconds: float = 180.0) -> None:
        """Wait until so many hosts have joined."""
        client = self.client()
        path = "/os-hypervisors?limit=1000"
        wait_until(lambda: len(client.ok("GET", path)["hypervisors"]) >= count, f"{count} hosts have joined", seconds)

    def close(self) -> None:
        """Kill whatever still runs."""
        for client in self._clients.values():
            client.http.close()
        for node in self.nodes.values():
            node.close()


class Engines(contextlib.ExitStack):
    """PostgreSQL and RabbitMQ of our own, both None where they are not installed. `cluster` and `broker` restart them."""

    def __init__(self) -> None:
        super().__init__()
        self.cluster = self.enter_context(databases.cluster(keeps_commits=True))
        self.broker = self.enter_context(brokers.broker())

    @contextlib.contextmanager
    def fleet(self, folder: Path) -> Iterator[Fleet]:
        """An empty fleet on an empty database; nothing of it runs afterwards."""
        assert self.cluster is not None, "PostgreSQL is not installed"
        assert self.broker is not None, "RabbitMQ is not installed"
        with self.cluster.empty_database() as database_url, self.broker.vhost() as bus_url:
            made = Fleet(folder, database_url, bus_url)
            try:
                yield made
            finally:
                made.close()
