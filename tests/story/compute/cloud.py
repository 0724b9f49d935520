"""The cloud of the compute stories."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self

import msgspec
from sqlalchemy import delete

from kilonova.api.compute.policies import POLICIES
from kilonova.api.compute.service import ComputePorts, compute_service
from kilonova.api.framework import Policy, Rim
from kilonova.compute.backlog import Bounds
from kilonova.compute.first_start import ensure_flavors
from kilonova.domain.boot import BootParams
from kilonova.domain.clock import Ids, SystemClock
from kilonova.domain.host import Host, HostDefaults, HostFacts
from kilonova.domain.saga import Event, JournalEvent, SagaStatus, about_server
from kilonova.domain.server import PowerState
from kilonova.network.changes import Changes
from kilonova.network.defaults import DefaultNetwork, ensure_default
from kilonova.network.embedded import EmbeddedNetworks
from kilonova.network.resolve import NicResolver
from kilonova.rpc.inprocess import InProcessBus
from kilonova.runtime import Runtime
from kilonova.store.database import Database
from kilonova.store.queries import hosts, saga_leases, sagas, server_facts
from kilonova.store.tables.compute import server_actions
from tests import databases
from tests.apiclient import client
from tests.fakes.auth import ADMIN_PROJECT, MEMBER_A, PROJECT_A, PROJECT_B, FakeAuthenticator
from tests.fakes.images import FakeImages, image

HOST = "openstack-node-01"
ZONE = "us-west"
TOKEN = MEMBER_A

PARAMS = msgspec.json.Decoder(BootParams)


class FakeProjects:
    """The projects of the fake callers."""

    def exists(self, project_id: str) -> bool:
        return project_id in (PROJECT_A, PROJECT_B, ADMIN_PROJECT)


@contextmanager
def sqlite_cloud(folder: Path) -> Iterator[Cloud]:
    """A cloud on a database of its own in a folder."""
    with databases.sqlite(folder) as database, Cloud(database) as made:
        yield made


class Cloud:
    """One host in zone us-west, a network, the usual flavors and one image. `call` speaks to its API."""

    def __init__(self, database: Database, *, bounds: Bounds | None = None) -> None:
        self.database = database
        self.bus, self.clock, self.ids, self.images = InProcessBus(), SystemClock(), Ids(), FakeImages(image())
        network = DefaultNetwork()
        ports = ComputePorts(
            runtime=Runtime(db=database, bus=self.bus, clock=self.clock, ids=self.ids), images=self.images,
            nics=NicResolver(self.clock, self.ids, network), networks=self.networks(), projects=FakeProjects(),
            bounds=bounds or Bounds(),
        )  # fmt: skip
        self.service = compute_service(ports)
        self.app = Rim([self.service], authenticator=FakeAuthenticator(), policy=Policy(POLICIES))
        self.client = client(self.app)
        with self.database.write() as tx:
            now = self.clock.now()
            ensure_flavors(tx, now)
            self.network = ensure_default(tx, network, ADMIN_PROJECT, ids=self.ids, now=now)
        self.host = self.add_host(HOST)

    def add_host(self, name: str) -> Host:
        """Another host in the same zone."""
        defaults = HostDefaults(zone=ZONE)
        with self.database.write() as tx:
            return hosts.register(tx, name, "boot", FACTS, defaults=defaults, ids=self.ids, now=self.clock.now()).host

    def networks(self) -> EmbeddedNetworks:
        return EmbeddedNetworks(self.ids, Changes(self.bus, self.clock))

    def __enter__(self) -> Self:
        self.client.__enter__()
        return self

    def __exit__(self, *problem: object) -> None:
        self.client.__exit__()

    def call(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        token: str | None = TOKEN,
        version: str | None = None,
        status: int | None = None,
    ) -> Any:
        """Speak to the API below /compute/v2.1: gives the decoded body and checks the status; without one, the whole response."""
        headers = {"X-Auth-Token": token} if token else {}
        if version is not None:
            headers["OpenStack-API-Version"] = f"compute {version}"
        response = self.client.request(method, f"/compute/v2.1{path}", json=body, headers=headers)
        if status is None:
            return response
        assert response.status_code == status, response.text
        return response.json() if response.content else None

    def boot(self, name: str = "one", *, token: str = TOKEN, active: bool = True, **more: Any) -> str:
        """A server, running on the host if `active`. Gives its id."""
        sent = {"name": name, "flavorRef": "1", "imageRef": image().id, "networks": "auto", **more}
        ident = str(
            self.call("POST", "/servers", {"server": sent}, token=token, version="2.90", status=202)["server"]["id"]
        )
        if active:
            self.run(ident)
        return ident

    def forget_actions(self, server_id: str) -> None:
        """Leave nothing of a server's timeline but its sagas."""
        with self.database.write() as tx:
            tx.execute(delete(server_actions).where(server_actions.c.server_id == server_id))

    def forget(self, server_id: str) -> None:
        """What the delete saga would write in the end, without one."""
        now = datetime.now(UTC)
        with self.database.write() as tx:
            saga = next(saga for saga in sagas.of_subject(tx, about_server(server_id)) if saga.kind == "delete")
            taken = saga_leases.take(tx, saga.id, "test", now, 60.0)
            assert taken is not None
            server_facts.forget(tx, server_facts.get(tx, server_id), now)
            saga_leases.finish(tx, taken, SagaStatus.DONE, now)

    def run(self, server_id: str) -> None:
        """What the boot saga would write, without one."""
        now = datetime.now(UTC)
        with self.database.write() as tx:
            server = server_facts.get(tx, server_id)
            saga = next(saga for saga in sagas.of_subject(tx, about_server(server_id)) if saga.kind == "boot")
            taken = saga_leases.take(tx, saga.id, "test", now, 60.0)
            assert taken is not None
            server_facts.place(tx, server_id, HOST, ZONE, now)
            server = server_facts.get(tx, server_id)
            self.networks().allocate(tx, server, PARAMS.decode(saga.params), now)
            for seq, step in enumerate(("place", "spawn", "activate"), start=1):
                saga_leases.record(
                    tx, taken, JournalEvent(seq=seq, event=Event.STEP_DONE, at=now, attempt=1, step=step, host=HOST)
                )
            server_facts.launched(tx, server_id, PowerState.RUNNING, now)
            saga_leases.finish(tx, taken, SagaStatus.DONE, now)


FACTS = HostFacts(
    vcpus=64, ram_mib=262144, disk_gib=4096, hypervisor_type="QEMU", hypervisor_version=9001000, accelerator="tcg",
    arch="x86_64", cpu_model="Nehalem", cpu_topology={"cores": 1, "threads": 1, "sockets": 4}, address="127.0.0.1",
    cpu_features=("pge", "clflush"),
)  # fmt: skip
