"""A simulated cloud in a process of its own, with its data in a temporary directory, and a client that keeps its connection."""

from __future__ import annotations

import http.client
import os
import shutil
import socket
import sqlite3
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, Self

import msgspec

from kilonova.settings import CloudSettings, save

_UP_WITHIN_S = 60.0
_TICKS = os.sysconf("SC_CLK_TCK")
_UNLIMITED = -1


class Api:
    """One client on one connection, with one token."""

    def __init__(self, port: int, token: str = "") -> None:
        self.token, self._connection = token, http.client.HTTPConnection("127.0.0.1", port, timeout=60)

    def ask(self, method: str, path: str, body: Any = None) -> tuple[int, bytes, http.client.HTTPMessage]:
        headers = {"X-Auth-Token": self.token, "OpenStack-API-Version": "compute 2.90"}
        data = body if body is None or isinstance(body, bytes) else msgspec.json.encode(body)
        if data is not None:
            kind = "octet-stream" if isinstance(body, bytes) else "json"
            headers["Content-Type"] = f"application/{kind}"
        self._connection.request(method, path, data, headers)
        answer = self._connection.getresponse()
        return answer.status, answer.read(), answer.headers

    def call(self, method: str, path: str, body: Any = None) -> Any:
        """The decoded reply. Raises RuntimeError when it is a refusal."""
        status, content, _ = self.ask(method, path, body)
        if status >= 300:
            raise RuntimeError(f"{method} {path}: {status} {content[:500].decode()}")
        return msgspec.json.decode(content) if content else None

    def login(self, name: str, password: str) -> None:
        """Be the user of that name in the project of that name."""
        user = {"name": name, "domain": {"id": "default"}, "password": password}
        scope = {"project": {"name": name, "domain": {"id": "default"}}}
        auth = {"identity": {"methods": ["password"], "password": {"user": user}}, "scope": scope}
        status, content, headers = self.ask("POST", "/identity/v3/auth/tokens", {"auth": auth})
        if status != 201:
            raise RuntimeError(f"login: {status} {content[:500].decode()}")
        self.token = headers["X-Subject-Token"]

    def close(self) -> None:
        self._connection.close()


class SimCloud:
    """Up inside a `with`; the tenant's project has no quotas, and there is one image to boot from."""

    def __init__(self, *, hosts: int = 20, pace: float = 0.0, network: str = "10.42.0.0/16") -> None:
        self.data_dir = Path(tempfile.mkdtemp(prefix="kilonova-bench-"))
        self.port, self.hosts = free_port(), hosts
        settings = CloudSettings(
            data_dir=self.data_dir,
            hypervisor="sim",
            sim_hosts=hosts,
            sim_pace=pace,
            port=self.port,
            network_cidr=network,
        )
        save(settings)
        self._process: subprocess.Popen[bytes] | None = None
        self.image_id = ""

    def __enter__(self) -> Self:
        try:
            self.start()
            self._furnish()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_problem: object) -> None:
        self.stop()
        shutil.rmtree(self.data_dir)

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def start(self) -> None:
        """Begin, and wait until it answers and its hosts are there."""
        command = [sys.executable, "-m", "kilonova.cli.main", "serve", "--data-dir", str(self.data_dir)]
        with (self.data_dir / "kilonova.log").open("ab") as log:
            self._process = subprocess.Popen(command, stdout=log, stderr=log)
        wait_for_answer(self.port, self._process)
        self._wait_for_hosts()

    def stop(self) -> None:
        if self._process is not None:
            self._process.terminate()
            try:
                self._process.wait(20)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        self._process = None

    def api(self, user: str = "demo") -> Api:
        """A client that is logged in: as the tenant, or as `admin`."""
        passwords = msgspec.json.decode((self.data_dir / "credentials.json").read_bytes())
        api = Api(self.port)
        api.login(user, passwords[f"{user}_password"])
        return api

    def records(self) -> sqlite3.Connection:
        """Its database, to look at."""
        return sqlite3.connect(f"file:{self.data_dir / 'kilonova.db'}?mode=ro", uri=True)

    def boot_body(self, name: str, **more: Any) -> dict[str, Any]:
        """The body of a create."""
        return {"server": {"name": name, "flavorRef": "42", "imageRef": self.image_id, "networks": "auto", **more}}

    def cpu_s(self) -> float:
        """Processor time its process has used."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / _TICKS

    def _furnish(self) -> None:
        api = self.api("admin")
        project = api.call("GET", "/identity/v3/projects?name=demo")["projects"][0]["id"]
        unlimited = {"instances": _UNLIMITED, "cores": _UNLIMITED, "ram": _UNLIMITED}
        api.call("PUT", f"/compute/v2.1/os-quota-sets/{project}", {"quota_set": unlimited})
        api.call("PUT", f"/networking/v2.0/quotas/{project}", {"quota": {"port": _UNLIMITED}})
        image = {"name": "tiny", "disk_format": "raw", "container_format": "bare", "visibility": "public"}
        self.image_id = api.call("POST", "/image/v2/images", image)["id"]
        api.call("PUT", f"/image/v2/images/{self.image_id}/file", bytes(65536))
        api.close()

    def _wait_for_hosts(self) -> None:
        api, deadline = self.api("admin"), time.monotonic() + _UP_WITHIN_S
        while not _hosts_are_up(api):
            if time.monotonic() > deadline:
                raise RuntimeError(f"its hosts did not come up within {_UP_WITHIN_S:.0f} s")
            time.sleep(0.05)
        api.close()


def _hosts_are_up(api: Api) -> bool:
    there, _, wanted = api.call("GET", "/kilonova/v1/status")["status"]["chosen"]["hosts"].split()[:3]
    return there == wanted


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def wait_for_answer(port: int, process: subprocess.Popen[bytes]) -> None:
    """Until the API answers. Raises RuntimeError when the process ends or the time is up."""
    deadline = time.monotonic() + _UP_WITHIN_S
    while time.monotonic() < deadline and process.poll() is None:
        api = Api(port)
        try:
            api.ask("GET", "/identity/v3")
            return
        except OSError:
            time.sleep(0.01)
        finally:
            api.close()
    raise RuntimeError("the cloud did not answer")
