"""
A fleet on this machine: processes of every role, on a PostgreSQL and a RabbitMQ of the test's own.

    with fleet.Engines() as engines, engines.fleet(folder) as made:
        made.start("api", "conductor", "scheduler", "agent", KILONOVA_AGENT_HOSTS="20")
        made.wait_ready()
        made.nodes["conductor-1"].kill()

Each process is ended by its own pid, its log is a file of its name in the fleet's folder.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Self

import httpx2
from prometheus_client.parser import text_string_to_metric_families

from tests import brokers, databases

READY_S = 60.0
STOP_S = 60.0
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


def wait_until(level: Callable[[], Any], what: str, seconds: float = 60.0) -> Any:
    """Wait for something to be true, not for ever; gives it."""
    end = time.monotonic() + seconds
    while not (found := level()):
        assert time.monotonic() < end, f"{what}: not within {seconds:.0f} s"
        time.sleep(0.05)
    return found


def password_in(folder: Path) -> str:
    """The admin's, as the first start left it."""
    return str(json.loads((folder / "credentials.json").read_bytes())["admin_password"])


class Node:
    """One process of a fleet."""

    def __init__(self, kind: str, name: str, config: Path, env: dict[str, str]) -> None:
        self.kind, self.name = kind, name
        self.health_port, self.port = brokers.free_ports(2)
        self.log = config.parent / f"{name}.log"
        own = {"NAME": name, "HEALTH_PORT": str(self.health_port)}
        if kind == "api":
            own["PORT"] = str(self.port)
        prefixed = {f"KILONOVA_{kind.upper()}_{key}": value for key, value in own.items()}
        self.env = {**os.environ, **prefixed, **env}
        self._command = [sys.executable, "-m", "kilonova.cli.main", kind, "--config", str(config)]
        self._http = httpx2.Client(base_url=f"http://127.0.0.1:{self.health_port}", timeout=10.0, trust_env=False)
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """Of the process that runs."""
        assert self._process is not None, f"{self.name} does not run"
        return self._process.pid

    @property
    def url(self) -> str:
        """Where an API is reached."""
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start it; it is ready a little later."""
        assert self._process is None, f"{self.name} runs already"
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                self._command, env=self.env, cwd="/", stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT
            )

    def ensure_running(self) -> None:
        """Start it unless it runs."""
        if self._process is None:
            self.start()

    def kill(self) -> None:
        """As kill -9 does."""
        self._end(signal.SIGKILL)

    def stop(self) -> int:
        """As an operator does: gracefully. Gives its exit code."""
        return self._end(signal.SIGTERM)

    def close(self) -> None:
        """Kill it if it runs; ask it nothing more."""
        self.kill()
        self._http.close()

    def _end(self, how: signal.Signals) -> int:
        process, self._process = self._process, None
        if process is None:
            return 0
        process.send_signal(how)
        try:
            return process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGABRT)  # its log shows where it stands
            process.wait()
            raise AssertionError(f"{self.name} did not stop:\n{self.tail()}") from None

    def problems(self) -> dict[str, str] | None:
        """Why it is not ready; empty when it is, None when it does not answer."""
        if self._process is not None and self._process.poll() is not None:
            raise AssertionError(f"{self.name} ended with {self._process.returncode}:\n{self.tail()}")
        try:
            answer = self._http.get("/healthz/ready")
        except httpx2.TransportError:
            return None
        found: dict[str, str] = answer.json().get("problems", {})
        assert (answer.status_code == 200) == (not found)
        return found

    def wait_ready(self, seconds: float = READY_S) -> None:
        """Wait until it can do its work."""
        try:
            wait_until(lambda: self.problems() == {}, f"{self.name} is ready", seconds)
        except AssertionError:
            print(self.tail())
            raise

    def metric(self, name: str, **labels: str) -> float:
        """The sum of a metric's samples that have these labels."""
        families = text_string_to_metric_families(self._http.get("/metrics").text)
        samples = (sample for family in families for sample in family.samples if sample.name == name)
        return sum(sample.value for sample in samples if labels.items() <= sample.labels.items())

    def lines(self) -> list[dict[str, Any]]:
        """What it has logged, those lines that are JSON."""
        found = []
        for line in self.log.read_text().splitlines():
            with contextlib.suppress(json.JSONDecodeError):
                found.append(json.loads(line))
        return found

    def tail(self) -> str:
        """The end of its log."""
        return self.log.read_text()[-6000:] if self.log.exists() else ""

    def memory_mib(self) -> float:
        """Resident memory."""
        pages = int(Path(f"/proc/{self.pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


class Client:
    """The admin, at one API."""

    def __init__(self, url: str, password: str) -> None:
        self.url = url
        self.http = httpx2.Client(base_url=url, timeout=30.0, trust_env=False)
        scope = {"project": {"name": "admin", "domain": {"id": "default"}}}
        user = {"name": "admin", "domain": {"id": "default"}, "password": password}
        login = {"auth": {"identity": {"methods": ["password"], "password": {"user": user}}, "scope": scope}}
        answer = self.http.post("/identity/v3/auth/tokens", json=login)
        assert answer.status_code == 201, answer.text
        self.token = answer.headers["X-Subject-Token"]
        self.http.headers["X-Auth-Token"] = self.token
        self.http.headers["OpenStack-API-Version"] = "compute 2.90"

    def ask(self, method: str, path: str, body: Any = None) -> httpx2.Response:
        """One request to the compute service, whatever comes of it."""
        return self.http.request(method, f"/compute/v2.1{path}", json=body)

    def ok(self, method: str, path: str, body: Any = None) -> Any:
        """One that must succeed; its document."""
        answer = self.ask(method, path, body)
        assert answer.is_success, (method, path, answer.status_code, answer.text)
        return answer.json() if answer.content else None

    def lift_quotas(self) -> None:
        """Let the admin's project have as much as there is."""
        project = self.http.get("/identity/v3/auth/tokens", headers={"X-Subject-Token": self.token}).json()
        path = f"/os-quota-sets/{project['token']['project']['id']}"
        self.ok("PUT", path, {"quota_set": dict.fromkeys(("instances", "cores", "ram"), -1)})
        networking = f"/networking/v2.0/quotas/{project['token']['project']['id']}"
        self.http.put(networking, json={"quota": {"port": -1}}).raise_for_status()

    def image(self) -> str:
        """An image with a few bytes; its id."""
        wanted = {"name": "tiny", "disk_format": "raw", "container_format": "bare", "visibility": "public"}
        made = self.http.post("/image/v2/images", json=wanted).raise_for_status().json()
        octets = {"Content-Type": "application/octet-stream"}
        self.http.put(f"/image/v2/images/{made['id']}/file", content=b"\0" * 65536, headers=octets).raise_for_status()
        return str(made["id"])

    def boot(self, name: str, image: str) -> httpx2.Response:
        """Ask for a server."""
        wanted = {"name": name, "flavorRef": "1", "imageRef": image, "networks": "auto"}
        return self.ask("POST", "/servers", {"server": wanted})

    def statuses(self) -> dict[str, str]:
        """Every server's status, by name."""
        return {one["name"]: one["status"] for one in self.ok("GET", "/servers/detail")["servers"]}

    def orphans(self) -> dict[str, Any]:
        """What the audit finds that should not be, and hosts that could not be asked."""
        report = self.http.get("/kilonova/v1/audit").raise_for_status().json()["audit"]
        return report["orphans"] | ({"silent_hosts": report["silent_hosts"]} if report["silent_hosts"] else {})


class Load(contextlib.AbstractContextManager["Load"]):
    """
    Boots servers through several APIs in turn, in a thread, until the block ends; and keeps what it was told.

    `accepted`: names of servers that were answered with 202; `refused`: statuses of other answers, with their Retry-After.
    """

    def __init__(self, clients: list[Client], image: str, prefix: str) -> None:
        self._clients, self._image, self._prefix = clients, image, prefix
        self.accepted: list[str] = []
        self.refused: list[tuple[int, str | None]] = []
        self.unheard = 0  # requests that no answer came to
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        self._thread.join()

    def wait_accepted(self, count: int, seconds: float = 60.0) -> None:
        """Wait until so many more have been accepted."""
        wanted = len(self.accepted) + count
        wait_until(lambda: len(self.accepted) >= wanted, f"{count} more boots accepted", seconds)

    def _run(self) -> None:
        for number in itertools.count():
            if self._stopping.wait(0.02):
                return
            name = f"{self._prefix}-{number}"
            try:
                answer = self._clients[number % len(self._clients)].boot(name, self._image)
            except httpx2.TransportError:
                self.unheard += 1
                continue
            if answer.status_code == 202:
                self.accepted.append(name)
            else:
                self.refused.append((answer.status_code, answer.headers.get("Retry-After")))


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

    def wait_hosts(self, count: int, seconds: float = 60.0) -> None:
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
