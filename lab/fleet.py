"""
A fleet in a lab: PostgreSQL, RabbitMQ, two API and two conductor processes and a scheduler in the outer machine, and hosts in
machines of their own that join it with one-time tokens, each with its own libvirtd, bridges, dnsmasq, nftables and agent.

What is started here is known by name (`api-1`, `agent-2`), so that tests can end one of them and bring it back.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import httpx2

from lab import underlay
from lab.place import Inside, lasting
from tests.facts import REPOSITORY
from tests.waiting import wait_until

FOLDER = Path("/", "run", "cloud")  # in every machine of the lab
API_PORT = 8774
URL = f"http://{underlay.CONTROL}:{API_PORT}"
CONTROL_PLANE = ("api-1", "api-2", "conductor-1", "conductor-2", "scheduler-1")
_READY_S = 120.0
_PORTS = {"api": 9780, "conductor": 9790, "scheduler": 9800}


class FleetLab:
    """Made down. `up` brings up the control plane, `add_host` one host more, `down` ends all of it."""

    def __init__(self) -> None:
        self.hosts: list[Inside] = []
        self.env: dict[str, str] = {}  # of every process
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self._token = ""

    def up(self) -> None:
        """The outer machine with engines and control plane, ready."""
        self.control = lasting("control")
        underlay.lay(self.control)
        self._spawn("engines", self.control, [sys.executable, "-m", "lab.engines", str(FOLDER)])
        note = self._inside(self.control) / "engines.json"
        wait_until(lambda: self._lives("engines") and note.exists(), "PostgreSQL and RabbitMQ are up", _READY_S)
        self._configure(json.loads(note.read_text()))
        self.control.run(*_kilonova("db", "upgrade", "--config", str(FOLDER / "api-1.toml")))
        for name in CONTROL_PLANE:
            self.start(name)
        self.wait_until_ready(*CONTROL_PLANE)

    def add_host(self) -> str:
        """A machine more, which joins; gives its name once the fleet says that it is up."""
        number = len(self.hosts) + 1
        name = f"host-{number}"
        host = lasting(name, self.control)
        underlay.plug_in(self.control, host, number)
        self.hosts.append(host)
        token = self.call("POST", "/kilonova/v1/hosts/tokens", {"token": {"host": name}})["token"]["text"]
        host.run(*_kilonova("host", "join", URL, token, "--name", name, "--config-dir", str(FOLDER)))
        agent = {
            "data_dir": str(FOLDER / "data"),
            "credential_dir": str(FOLDER),
            "guest_dir": str(REPOSITORY / "build" / "guest"),
        }
        (self._inside(host) / "agent.toml").write_text(_toml({"agent": agent}))
        self.start(f"agent-{number}")
        self.wait_until_up(number)
        return name

    def wait_until_up(self, number: int) -> None:
        """Wait until the fleet says that this host is."""
        name, agent = f"host-{number}", f"agent-{number}"
        wait_until(lambda: self._lives(agent) and self._is_up(name), f"{name} is up", _READY_S)

    def down(self) -> None:
        """End it; the kernel ends what is in it."""
        os.kill(self.control.pid, signal.SIGKILL)
        children = (place.child for place in (*self.hosts, self.control))
        for process in (*self._processes.values(), *filter(None, children)):
            process.wait()

    # --- processes ---

    def start(self, name: str, **env: str) -> None:
        """Start a process of that name: `api-2`, `agent-1`; `env` is its own."""
        kind, _, number = name.partition("-")
        place = self.hosts[int(number) - 1] if kind == "agent" else self.control
        config = "agent.toml" if kind == "agent" else f"{name}.toml"
        self._spawn(name, place, _kilonova(kind, "--config", str(FOLDER / config)), env)

    def kill(self, name: str, how: signal.Signals = signal.SIGKILL) -> None:
        """End a process of that name, if it has not ended by itself, and see it dead."""
        process = self._processes.pop(name)
        if process.poll() is None:
            for pid in _inner(process):
                os.kill(pid, how)
        process.wait(60)

    def freeze(self, name: str) -> None:
        """Let a process of that name stand still."""
        for pid in _inner(self._processes[name]):
            os.kill(pid, signal.SIGSTOP)

    def thaw(self, name: str) -> None:
        """Let it go on: nsenter stands still when what it waits for does."""
        process = self._processes[name]
        for pid in (process.pid, *_inner(process)):
            os.kill(pid, signal.SIGCONT)

    def restart_engine(self, which: signal.Signals) -> None:
        """SIGUSR1: PostgreSQL, SIGUSR2: RabbitMQ; the hard way."""
        (inner,) = _inner(self._processes["engines"])
        os.kill(inner, which)

    def wait_until_ready(self, *names: str) -> None:
        """Wait until these processes of the control plane say that they are."""
        for name in names:
            wait_until(lambda name=name: self._lives(name) and self._is_ready(name), f"{name} is ready", _READY_S)

    # --- the API, as its administrator ---

    def call(self, method: str, path: str, body: Any = None) -> Any:
        """One request that must succeed; its JSON."""
        if not self._token:
            self._token = self._log_in()
        headers = {"X-Auth-Token": self._token, "OpenStack-API-Version": "compute 2.90"}
        reply = httpx2.request(method, URL + path, json=body, headers=headers, timeout=60, trust_env=False)
        assert reply.is_success, f"{method} {path}: {reply.status_code} {reply.text[:1000]}"
        return reply.json() if reply.content else None

    def credentials(self) -> dict[str, str]:
        """The passwords of `admin` and `demo`."""
        made = json.loads((self._inside(self.control) / "credentials.json").read_text())
        return {name: made[f"{name}_password"] for name in ("admin", "demo")}

    def log(self, name: str) -> Path:
        """What a process says."""
        kind, _, number = name.partition("-")
        place = self.hosts[int(number) - 1] if kind == "agent" else self.control
        return self._inside(place) / f"{name}.log"

    def _log_in(self) -> str:
        domain = {"domain": {"id": "default"}}
        user = {"name": "admin", "password": self.credentials()["admin"], **domain}
        scope = {"project": {"name": "admin", **domain}}
        auth = {"identity": {"methods": ["password"], "password": {"user": user}}, "scope": scope}
        reply = httpx2.post(f"{URL}/identity/v3/auth/tokens", json={"auth": auth}, timeout=60, trust_env=False)
        assert reply.status_code == 201, reply.text
        return reply.headers["X-Subject-Token"]

    def _is_up(self, host: str) -> bool:
        services = self.call("GET", "/compute/v2.1/os-services?binary=nova-compute")["services"]
        return any((one["host"], one["state"]) == (host, "up") for one in services)

    def _is_ready(self, name: str) -> bool:
        kind, _, number = name.partition("-")
        url = f"http://{underlay.CONTROL}:{_PORTS[kind] + int(number)}/healthz/ready"
        try:
            return httpx2.get(url, timeout=10, trust_env=False).is_success
        except httpx2.HTTPError:
            return False

    # --- how ---

    def _configure(self, engines: dict[str, Any]) -> None:
        bus = {
            "url": engines["bus"],
            "management_url": engines["management"].replace("://", "://guest:guest@"),
            "url_for_hosts": f"amqp://{underlay.CONTROL}:{engines['port']}/lab",
        }
        for name in CONTROL_PLANE:
            kind, _, number = name.partition("-")
            own = {"name": name, "health_host": underlay.CONTROL, "health_port": _PORTS[kind] + int(number)}
            if kind == "api":
                own |= {"host": underlay.CONTROL, "port": API_PORT + int(number) - 1, "public_url": URL}
                own |= {"credentials_file": str(FOLDER / "credentials.json")}
            sections = {"database": {"url": engines["database"]}, "bus": bus, kind: own}
            sections |= {"images": {"folder": str(FOLDER / "images")}}
            sections["network"] = {"default_cidr": "10.42.0.0/16"}
            (self._inside(self.control) / f"{name}.toml").write_text(_toml(sections))

    def _spawn(self, name: str, place: Inside, words: list[str], env: Mapping[str, str] = MappingProxyType({})) -> None:
        # A machine is entered at its root, where nothing is imported from.
        environment = {**os.environ, "PYTHONPATH": str(REPOSITORY), **self.env, **env}
        with (self._inside(place) / f"{name}.log").open("ab") as log:
            self._processes[name] = subprocess.Popen(
                place.command(*words),
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def _lives(self, name: str) -> bool:
        assert self._processes[name].poll() is None, f"{name} ended:\n{self.log(name).read_text()[-3000:]}"
        return True

    @staticmethod
    def _inside(place: Inside) -> Path:
        return place.path(FOLDER)


def _inner(process: subprocess.Popen[bytes]) -> list[int]:
    """The process that is meant: nsenter waits for it."""
    return [int(pid) for pid in Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()]


def _kilonova(*words: str) -> list[str]:
    return [sys.executable, "-m", "kilonova.cli.main", *words]


def _toml(sections: dict[str, dict[str, Any]]) -> str:
    """JSON's strings and numbers are TOML's, too."""
    lines = []
    for name, keys in sections.items():
        lines += [f"[{name}]", *(f"{key} = {json.dumps(value)}" for key, value in keys.items()), ""]
    return "\n".join(lines)
