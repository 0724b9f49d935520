"""Network v2.0 over HTTP, in process: four callers, a recording bus, and time that stands still."""

from __future__ import annotations

import random
from collections.abc import Callable, Collection, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from kilonova.api.framework import Policy, Rim
from kilonova.api.network.policies import POLICIES
from kilonova.api.network.service import network_service
from kilonova.domain.clock import Ids
from kilonova.domain.hostnet import HostNetwork, ShareChange
from kilonova.domain.network import ServerForNetwork
from kilonova.network.changes import Changes
from kilonova.network.networks import NetworkSettings
from kilonova.reconcilers.network_sync import NetworkSync
from kilonova.rpc.messages import Message, NetworkChanged, ShareChanged
from kilonova.runtime import Runtime
from kilonova.store.database import Database, Tx
from kilonova.store.queries import servers
from tests import databases
from tests.apiclient import FakeAuthenticator, caller, client
from tests.component.store.test_servers import server

Answer = dict[str, Any]


class StillClock:
    """Time that only the test moves; timers wait until they are fired."""

    def __init__(self) -> None:
        self.time = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
        self.timers: list[Callable[[], None]] = []

    def now(self) -> datetime:
        return self.time

    def monotonic(self) -> float:
        return 0.0

    def call_later(self, delay_s: float, fn: Callable[[], None]) -> Callable[[], None]:
        self.timers.append(fn)
        return lambda: None


class RecordingBus:
    """Remembers what was said."""

    def __init__(self) -> None:
        self.said_to: list[str] = []
        self.parts: dict[str, HostNetwork] = {}
        self.changes: dict[str, ShareChange] = {}

    def serve(self, topic: str, handler: object, *, workers: int = 1) -> Callable[[], None]:
        return lambda: None

    def cast(self, topic: str, message: Message) -> None:
        assert isinstance(message, NetworkChanged)
        self.said_to.append(topic)
        self.parts[topic] = message.part

    def call(self, topic: str, message: Message, *, timeout_s: float = 10.0) -> Message:
        raise NotImplementedError

    def fanout(self, topic: str, message: Message) -> None:
        assert isinstance(message, ShareChanged)
        self.said_to.append(topic)
        self.changes[topic] = message.change

    def follow(self, topic: str, subjects: Collection[str]) -> None:
        raise NotImplementedError


class Cloud:
    """The service and its neighbours; `cloud.p1`, `cloud.admin`… are clients."""

    def __init__(self, database: Database) -> None:
        self.database, self.clock, self.bus = database, StillClock(), RecordingBus()
        self.network_sync = NetworkSync(database, self.bus, self.clock)
        self.ids = Ids(random.Random(11))
        self.servers = 0
        runtime = Runtime(db=database, bus=self.bus, clock=self.clock, ids=self.ids)
        callers = {
            "admin": caller("padmin", "admin"),
            "p1": caller("p1", "member"),
            "p2": caller("p2", "member"),
            "reader": caller("p1", "reader"),
        }
        self.app = Rim(
            [network_service(runtime, Changes(self.bus, self.clock), NetworkSettings())],
            authenticator=FakeAuthenticator(callers),
            policy=Policy(POLICIES),
        )
        self.admin, self.p1, self.p2, self.reader = (Caller(client(self.app, name)) for name in callers)
        self.nobody = Caller(client(self.app))

    def server(self, tx: Tx, host: str) -> ServerForNetwork:
        """One of p1's that is on a host."""
        self.servers += 1
        made = server(self.servers, id=self.ids.uuid(), project_id="p1", host=host)
        servers.add(tx, [made])
        return ServerForNetwork(id=made.id, project_id=made.project_id, host=made.host)

    def told(self) -> list[str]:
        """What was said of changes since the last time this was asked: to whom, or to those who follow what."""
        self.clock.time += timedelta(minutes=1)
        self.network_sync.activate()
        told, self.bus.said_to = self.bus.said_to, []
        return told


class Caller:
    """Somebody with a token; paths are below /networking/v2.0."""

    def __init__(self, http: TestClient) -> None:
        self.http = http

    def __call__(self, method: str, path: str, body: Any = None, *, expect: int) -> Any:
        reply = self.http.request(method, f"/networking/v2.0{path}", **({} if body is None else {"json": body}))
        assert reply.status_code == expect, reply.text
        return reply.json() if reply.content else None

    def get(self, path: str) -> Any:
        return self("GET", path, expect=200)

    def make(self, kind: str, **fields: Any) -> Answer:
        """Create one thing; `kind` as its key on the wire."""
        made: Answer = self("POST", f"/{kind.replace('_', '-')}s", {kind: fields}, expect=201)[kind]
        return made

    def change(self, kind: str, ident: str, **fields: Any) -> Answer:
        changed: Answer = self("PUT", f"/{kind.replace('_', '-')}s/{ident}", {kind: fields}, expect=200)[kind]
        return changed

    def delete(self, kind: str, ident: str, *, expect: int = 204) -> Any:
        return self("DELETE", f"/{kind.replace('_', '-')}s/{ident}", expect=expect)

    def refused(self, method: str, path: str, body: Any = None, *, expect: int) -> tuple[str, str]:
        """The refusal's type and message."""
        error = self(method, path, body, expect=expect)["NeutronError"]
        return error["type"], error["message"]

    def refused_make(self, kind: str, *, expect: int, **fields: Any) -> tuple[str, str]:
        return self.refused("POST", f"/{kind.replace('_', '-')}s", {kind: fields}, expect=expect)


@pytest.fixture
def cloud(tmp_path: Path) -> Iterator[Cloud]:
    with databases.sqlite(tmp_path) as database:
        yield Cloud(database)
