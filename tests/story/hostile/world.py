"""
A whole cloud in one process, as `kilonova up --sim` makes it, and people in it: members of two projects, a reader, the admin.

Everything is real but the hosts: tokens are made by logging in, and every call goes through the rim of the whole cloud.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import structlog
from starlette.testclient import TestClient
from starlette.types import ASGIApp

from kilonova.bootstrap.cloud import CREDENTIALS_FILE, Cloud
from kilonova.identity.tokens import Proof, TokenMaker
from kilonova.settings import CloudSettings
from kilonova.store.queries.identity_roles import Scope
from tests.fakes.identity import Caller as Login
from tests.fakes.identity import account, cheap_passwords, project

LATEST = "2.104"
PASSWORD = "correct-horse-battery"
PATHS = {
    "compute": "/compute/v2.1", "network": "/networking/v2.0", "image": "/image/v2", "identity": "/identity/v3",
    "kilonova": "/kilonova/v1",
}  # fmt: skip


class Person:
    """Somebody with a token. Paths are those of a service: `compute /servers`."""

    def __init__(self, http: TestClient, token: str, project_id: str = "", user_id: str = "") -> None:
        self.http, self.token, self.project_id, self.user_id = http, token, project_id, user_id

    def send(self, method: str, way: str, body: Any = None, *, version: str = LATEST, **more: Any) -> Any:
        """A request; `body` is sent as JSON unless it is bytes. Gives the response."""
        service, _, path = way.partition(" ")
        headers = {"X-Auth-Token": self.token, **more.pop("headers", {})}
        if service == "compute":
            headers["OpenStack-API-Version"] = f"compute {version}"
        if body is not None:
            headers.setdefault("Content-Type", "application/json")
            more["content"] = body if isinstance(body, bytes) else json.dumps(body).encode()
        return self.http.request(method, PATHS[service] + path, headers=headers, **more)

    def ok(self, method: str, way: str, body: Any = None, **more: Any) -> Any:
        """What must succeed; gives the document."""
        answer = self.send(method, way, body, **more)
        assert answer.is_success, (method, way, answer.status_code, answer.text)
        return answer.json() if answer.content else None

    def refused(self, status: int | tuple[int, ...], method: str, way: str, body: Any = None, **more: Any) -> str:
        """What must be refused with this status; gives the text."""
        answer = self.send(method, way, body, **more)
        allowed = (status,) if isinstance(status, int) else status
        assert answer.status_code in allowed, (method, way, answer.status_code, answer.text)
        return str(answer.text)

    def make(self, kind: str, **fields: Any) -> Any:
        """One thing of the network service."""
        return self.ok("POST", f"network /{kind.replace('_', '-')}s", {kind: fields})[kind]

    def image(self, content: bytes | None = b"\0" * 4096, **fields: Any) -> str:
        """An image with bits, unless they are None; its id."""
        wanted = {"name": "tiny", "disk_format": "raw", "container_format": "bare", **fields}
        ident = str(self.ok("POST", "image /images", wanted)["id"])
        if content is not None:
            octets = {"Content-Type": "application/octet-stream"}
            self.ok("PUT", f"image /images/{ident}/file", content, headers=octets)
        return ident

    def boot(self, image: str, **fields: Any) -> Any:
        """The response to the creation of a server."""
        wanted = {"name": "one", "flavorRef": "1", "imageRef": image, "networks": "none", **fields}
        return self.send("POST", "compute /servers", {"server": wanted})

    def booted(self, image: str, **fields: Any) -> str:
        """The id of a server that is being made."""
        answer = self.boot(image, **fields)
        assert answer.status_code == 202, answer.text
        return str(answer.json()["server"]["id"])

    def settled(self, server_id: str) -> Any:
        """A server when nothing is under way on it any more; None when it is gone."""
        return wait(lambda: self._settled(server_id))[0]

    def _settled(self, server_id: str) -> tuple[Any] | None:
        answer = self.send("GET", f"compute /servers/{server_id}")
        if answer.status_code == 404:
            return (None,)
        server = answer.json()["server"]
        busy = server["status"] == "BUILD" or server["OS-EXT-STS:task_state"] is not None
        return None if busy else (server,)


def wait(look: Callable[[], Any], seconds: float = 30.0) -> Any:
    """Look until there is something to see."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if found := look():
            return found
        time.sleep(0.02)
    raise AssertionError("it did not come to be")


@dataclass(frozen=True)
class World:
    """The cloud and its people. `expired`, `alien`: tokens well made and no good. `logged`: what the cloud has logged."""

    cloud: Cloud
    http: TestClient
    admin: Person
    a: Person
    b: Person
    reader: Person
    expired: str
    alien: str
    logged: list[Any]

    def orphans(self) -> dict[str, Any]:
        """What the audit counts that should not be."""
        answer = self.http.get("/kilonova/v1/audit", headers={"X-Auth-Token": self.admin.token})
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()["audit"]["orphans"]
        return found


def _with_lifespan(app: ASGIApp) -> ASGIApp:
    """The test client wants to begin and end something; the rim has nothing of the kind."""

    async def served(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "lifespan":
            await app(scope, receive, send)
            return
        for stage in ("startup", "shutdown"):
            await receive()
            await send({"type": f"lifespan.{stage}.complete"})

    return served


@contextmanager
def world(folder: Path, *, hosts: int = 2, **settings: Any) -> Iterator[World]:
    """A cloud that runs, and stops in the end."""
    made = Cloud(CloudSettings(data_dir=folder, hypervisor="sim", sim_hosts=hosts, sim_pace=0.0, **settings))
    object.__setattr__(made.identity, "passwords", cheap_passwords())
    with structlog.testing.capture_logs() as logged:
        made.start()
        try:
            with TestClient(_with_lifespan(made.app)) as http:
                yield _people(made, http, folder, logged)
        finally:
            made.stop()


def _people(cloud: Cloud, http: TestClient, folder: Path, logged: list[Any]) -> World:
    secret = json.loads((folder / CREDENTIALS_FILE).read_bytes())["admin_password"]
    login = Login(http).log_in(account("admin", secret), project("admin"))
    admin = Person(http, str(login.token))
    projects = {name: str(login.make("project", name=f"project-{name}")["id"]) for name in ("a", "b")}
    people = {
        name: _person(login, name, projects[where], role)
        for name, where, role in (("a", "a", "member"), ("b", "b", "member"), ("reader", "a", "reader"))
    }
    return World(
        cloud=cloud, http=http, admin=admin, expired=_expired(cloud, people["a"]), alien=_alien(folder / "alien"), logged=logged,
        **people,
    )  # fmt: skip


def _person(login: Login, name: str, project_id: str, role: str) -> Person:
    user_id = str(login.make("user", name=f"user-{name}", password=PASSWORD)["id"])
    login.ok("PUT", f"/projects/{project_id}/users/{user_id}/roles/{login.role_id(role)}")
    logged = Login(login.http).log_in(account(f"user-{name}", PASSWORD), {"project": {"id": project_id}})
    return Person(login.http, str(logged.token), project_id, user_id)


def _expired(cloud: Cloud, person: Person) -> str:
    """A token of ours whose time is over."""
    maker = TokenMaker(cloud.identity.keys, cloud.clock, timedelta(seconds=-1))
    proof = Proof(user_id=person.user_id, methods=("password",))
    return maker.make(proof, Scope(project_id=person.project_id))[0]


def _alien(folder: Path) -> str:
    """An administrator's token of another cloud."""
    folder.mkdir()
    other = Cloud(CloudSettings(data_dir=folder, hypervisor="sim", sim_hosts=0))
    other.start()
    try:
        with TestClient(_with_lifespan(other.app)) as http:
            secret = json.loads((folder / CREDENTIALS_FILE).read_bytes())["admin_password"]
            return str(Login(http).log_in(account("admin", secret), project("admin")).token)
    finally:
        other.stop()
