"""The admin of a fleet, and a steady load of boots."""

from __future__ import annotations

import contextlib
import itertools
import threading
from typing import Any, Self

import httpx2

from tests.waiting import wait_until


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
