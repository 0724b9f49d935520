"""Two hosts and a server, and Placement over them."""

from __future__ import annotations

from typing import Any

from starlette.testclient import TestClient

from kilonova.api.framework import Policy, Rim
from kilonova.api.placement.policies import POLICIES
from kilonova.api.placement.service import placement_service
from kilonova.domain.allocation import Claim
from kilonova.domain.clock import Ids, SystemClock
from kilonova.domain.host import Host, HostDefaults, HostFacts
from kilonova.rpc.inprocess import InProcessBus
from kilonova.rpc.messages import Message, Ok
from kilonova.runtime import Runtime
from kilonova.store.database import Database
from kilonova.store.queries import hosts, server_facts, servers
from tests.apiclient import client
from tests.component.store.test_servers import server
from tests.fakes.auth import ADMIN, PROJECT_A, FakeAuthenticator
from tests.fakes.images import FakeImages

FACTS = HostFacts(
    vcpus=8, ram_mib=16384, disk_gib=100, hypervisor_type="sim", hypervisor_version=1, accelerator="sim", arch="x86_64",
    traits=("COMPUTE_NODE",),
)  # fmt: skip
SERVER = server(1, project_id=PROJECT_A)


class World:
    """Two hosts, a server on the first, and a way to speak to Placement."""

    def __init__(self, database: Database) -> None:
        self.database, self.clock, self.ids, bus = database, SystemClock(), Ids(), InProcessBus()
        self.heard: list[Message] = []
        bus.serve("scheduler", self._hear, workers=0)
        runtime = Runtime(db=database, bus=bus, clock=self.clock, ids=self.ids)
        self.service = placement_service(runtime, FakeImages())
        self.client: TestClient = client(
            Rim([self.service], authenticator=FakeAuthenticator(), policy=Policy(POLICIES))
        )
        now = self.clock.now()
        with database.write() as tx:
            self.one, self.two = self._join(tx, "h1"), self._join(tx, "h2")
            servers.add(tx, [SERVER])
            server_facts.place(tx, SERVER.id, "h1", "nova", now)
            assert hosts.claim(tx, self.one.id, Claim(server_id=SERVER.id, vcpus=2, ram_mib=1024, disk_gib=5), now)

    def _hear(self, message: Message) -> Message:
        self.heard.append(message)
        return Ok()

    def _join(self, tx: Any, name: str) -> Host:
        defaults = HostDefaults()
        return hosts.register(tx, name, "b", FACTS, defaults=defaults, ids=self.ids, now=self.clock.now()).host

    def call(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        version: str = "1.39",
        status: int = 200,
        token: str | None = ADMIN,
    ) -> Any:
        headers = {"OpenStack-API-Version": f"placement {version}"} | ({"X-Auth-Token": token} if token else {})
        response = self.client.request(method, f"/placement{path}", json=body, headers=headers)
        assert response.status_code == status, (method, path, response.text)
        assert response.headers["OpenStack-API-Version"] == f"placement {version}"
        return response.json() if response.content else None

    def names(self, query: str, version: str = "1.39") -> list[str]:
        return [
            one["name"]
            for one in self.call("GET", f"/resource_providers?{query}", version=version)["resource_providers"]
        ]

    def generation(self) -> int:
        return int(self.call("GET", f"/resource_providers/{self.one.id}")["generation"])
