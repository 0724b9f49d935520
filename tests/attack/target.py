"""A simulated cloud in a process of its own, and the people in it: those who attack, and those who must not notice."""

from __future__ import annotations

import json
import resource
import secrets
import socket
import tempfile
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path
from typing import Self

import httpx2

from kilonova.settings import CloudSettings
from lab.place import ThisMachine
from tests.fakes.identity import Caller, account
from tests.realcloud import RealCloud
from tests.story.hostile.world import Person

ATTACKER = "127.0.0.2"  # where strangers call from; all of 127.0.0.0/8 is this machine
PATIENCE_S = 60.0
_DESCRIPTORS = 1024
_SERVED_WITHIN_S = 15.0  # not a measure of speed: who waits so long is not served


class Target(AbstractContextManager["Target"]):
    """
    `mallory` and `victim` are members of two projects, `reader` reads in mallory's, `admin` is the operator.

    `is_short`: as few of everything as show the thing at all. `secrets` are what no log may hold.
    """

    cloud: RealCloud
    http: httpx2.Client
    admin: Person
    mallory: Person
    victim: Person
    reader: Person

    def __init__(self, *, is_short: bool) -> None:
        self.is_short = is_short
        self.secrets: list[str] = []
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        folder = Path(self._stack.enter_context(tempfile.TemporaryDirectory(prefix="kilonova-attack-")))
        settings = CloudSettings(
            data_dir=folder / "cloud", port=_free_port(), hypervisor="sim", sim_hosts=2, sim_pace=0.0
        )
        self.cloud = self._stack.enter_context(RealCloud(ThisMachine(), settings))
        self.start()
        self.http = self._stack.enter_context(self.client())
        self.log_in_again()
        return self

    def __exit__(self, *problem: object) -> None:
        self._stack.close()

    def start(self) -> None:
        """Start the cloud with the few descriptors that a login gives, whatever those who attack it need themselves."""
        most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(_DESCRIPTORS, most), most))
        try:
            self.cloud.start()
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))

    @property
    def data_dir(self) -> Path:
        """Where the cloud keeps its things."""
        return self.cloud.settings.data_dir

    @property
    def address(self) -> tuple[str, int]:
        """Where the API listens."""
        return self.cloud.settings.host, self.cloud.settings.port

    def client(self, source: str | None = None, **more: float) -> httpx2.Client:
        """A client of the API, from another address of this machine where one is named."""
        transport = httpx2.HTTPTransport(local_address=source) if source else None
        return httpx2.Client(
            base_url=self.cloud.settings.base_url,
            timeout=more.get("timeout", PATIENCE_S),
            trust_env=False,
            transport=transport,
        )

    def stranger(self) -> socket.socket:
        """A bare connection from the attacker's address."""
        return socket.create_connection(self.address, timeout=PATIENCE_S, source_address=(ATTACKER, 0))

    def log_in_again(self) -> None:
        """Everybody has a token; those who are not there yet are made."""
        self.cloud.call("GET", "/identity/v3")
        operator = Caller(self.http, self.cloud._token)
        project = operator.ok("GET", "/projects?name=admin")["projects"][0]["id"]
        self.admin = Person(self.http, self.cloud._token, project)
        if not hasattr(self, "mallory"):
            self.mallory, self.reader = self._people(operator, "mallory", ("member", "reader"))
            (self.victim,) = self._people(operator, "victim", ("member",))

    def operators_environment(self) -> dict[str, str]:
        """By which an OpenStack client is the operator's."""
        made = json.loads((self.data_dir / "credentials.json").read_text())
        return {
            "OS_AUTH_URL": f"{self.cloud.settings.base_url}/identity/v3", "OS_PROJECT_NAME": "admin", "OS_USERNAME": "admin",
            "OS_PASSWORD": made["admin_password"], "OS_USER_DOMAIN_ID": "default", "OS_PROJECT_DOMAIN_ID": "default",
        }  # fmt: skip

    def must_serve(self) -> None:
        """Health, metrics and a tenant's read are answered, to one who calls anew. Raises AssertionError, TimeoutException."""
        with self.client(timeout=_SERVED_WITHIN_S) as http:
            for path in ("/kilonova/v1/health", "/metrics"):
                assert http.get(path).status_code == 200, f"{path} is not answered any more"
            Person(http, self.victim.token).ok("GET", "compute /servers")

    def _people(self, operator: Caller, project_name: str, roles: tuple[str, ...]) -> list[Person]:
        project_id = str(operator.make("project", name=project_name)["id"])
        return [self._person(operator, f"{project_name}-{role}", project_id, role) for role in roles]

    def _person(self, operator: Caller, name: str, project_id: str, role: str) -> Person:
        password = self.secret()
        user_id = str(operator.make("user", name=name, password=password)["id"])
        operator.ok("PUT", f"/projects/{project_id}/users/{user_id}/roles/{operator.role_id(role)}")
        logged_in = Caller(self.http).log_in(account(name, password), {"project": {"id": project_id}})
        self.secrets.append(str(logged_in.token))
        return Person(self.http, str(logged_in.token), project_id, user_id)

    def secret(self) -> str:
        """A new secret, that is to be in no log."""
        self.secrets.append(secrets.token_urlsafe(24))
        return self.secrets[-1]


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])
