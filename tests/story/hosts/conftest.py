"""A world of simulated hosts with the API for hosts in front of it."""

from __future__ import annotations

import hashlib
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import msgspec
import pytest
import uvicorn
from starlette.testclient import TestClient

from kilonova.api.framework import Policy, Rim
from kilonova.api.hosts import POLICIES, hosts_service
from kilonova.compute.host_access import HostAccess
from kilonova.conductor.refusals import RefusalLog
from kilonova.domain.image import Image
from kilonova.image.bits import FileBits
from kilonova.store.queries import images
from tests import databases
from tests.apiclient import client
from tests.fakes.accounts import RememberedAccounts
from tests.fakes.auth import ADMIN, FakeAuthenticator
from tests.world.plane import IMAGE, OneImage, World

BASE = "/kilonova/v1/hosts"
BITS = bytes(range(256)) * 40_000  # 10 MB: several chunks


@dataclass
class Fleet:
    """All of it; `admin` is logged in, `nobody` is not."""

    world: World
    access: HostAccess
    accounts: RememberedAccounts
    bits: FileBits
    rim: Rim
    admin: TestClient
    nobody: TestClient

    def token(self, **about: object) -> str:
        answer = self.admin.post(f"{BASE}/tokens", json={"token": about})
        assert answer.status_code == 201, answer.text
        return str(answer.json()["token"]["text"])

    def join(self, name: str) -> str:
        """A host's secret."""
        answer = self.nobody.post(f"{BASE}/join", json={"host": {"token": self.token(), "name": name}})
        assert answer.status_code == 201, answer.text
        return str(answer.json()["host"]["secret"])

    def credential_of(self, name: str) -> str:
        """A secret for a host of the world, as if it had joined."""
        token = self.token(host=name)
        answer = self.nobody.post(f"{BASE}/join", json={"host": {"token": token, "name": name}})
        return str(answer.json()["host"]["secret"])


@pytest.fixture
def fleet(tmp_path: Path) -> Iterator[Fleet]:
    with databases.sqlite(tmp_path) as database:
        world = World(database, tmp_path)
        with database.write() as tx:
            images.add(tx, _record(world))
        bits = FileBits(tmp_path / "bits")
        with bits.part(IMAGE, "u") as part:
            part.write(BITS)
            part.sync()
            part.publish()
        accounts = RememberedAccounts()
        access = HostAccess(world.runtime, accounts=accounts, refusals=RefusalLog(database, world.clock))
        service = hosts_service(world.runtime, access, bits)
        rim = Rim([service], authenticator=FakeAuthenticator(), policy=Policy(POLICIES))
        with client(rim, ADMIN) as admin, client(rim) as nobody:
            yield Fleet(world, access, accounts, bits, rim, admin, nobody)


@contextmanager
def listening(rim: Rim, certificate: Path | None = None) -> Iterator[str]:
    """The API on a socket of its own, with TLS if a certificate and its key are given; its URL."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = uvicorn.Server(
            uvicorn.Config(rim, log_config=None, access_log=False, lifespan="off", ssl_certfile=certificate)
        )
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        try:
            end = time.monotonic() + 20
            while not server.started:
                assert time.monotonic() < end
                time.sleep(0.01)
            yield f"{'https' if certificate else 'http'}://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join(20)


def _record(world: World) -> Image:
    found = OneImage(world.clock).get(IMAGE)
    digest = hashlib.sha512(BITS).hexdigest()
    return msgspec.structs.replace(
        found, size=len(BITS), sha512=digest, disk_format="raw", updated_at=world.clock.now()
    )
