"""Requests of one kind cannot take what another kind has."""

from __future__ import annotations

from typing import Any

import anyio
import httpx2
import pytest

from kilonova.api.framework import COMPUTE, Limits, Policy, Rim, Route, Service
from kilonova.api.framework.lanes import Busy
from kilonova.api.framework.transfers import Transfers
from kilonova.domain.errors import Postponed, Unavailable
from tests.apiclient import FakeAuthenticator


class Desk:
    """`slow` waits to be let go; `quick` is in a lane of its own; `twice` comes again, elsewhere."""

    def __init__(self) -> None:
        self.inside, self.leave = anyio.Event(), anyio.Event()
        self.tickets: list[object] = []

    def slow(self, _req: Any) -> None:
        anyio.from_thread.run_sync(self.inside.set)
        anyio.from_thread.run(self.leave.wait)

    def quick(self, _req: Any) -> None:
        pass

    def twice(self, req: Any) -> None:
        self.tickets.append(req.ticket)
        if req.ticket is None:
            raise Postponed(0.01, "hashing", "the ticket")

    def rim(self) -> Rim:
        routes = [
            Route("GET", "/slow", self.slow, auth=False),
            Route("GET", "/quick", self.quick, auth=False, lane="health"),
            Route("GET", "/twice", self.twice, auth=False, lane="logins"),
        ]
        service = Service("desk", mount="/desk", prefix="", style=COMPUTE, routes=routes)
        limits = Limits(threads=1, waiting=0)
        return Rim([service], authenticator=FakeAuthenticator({}), policy=Policy([]), limits=limits)


def test_a_lane_that_is_full_is_full_for_its_own_alone() -> None:
    statuses: dict[str, int] = {}

    async def run() -> Rim:
        desk = Desk()
        rim = desk.rim()
        transport = httpx2.ASGITransport(app=rim)
        async with httpx2.AsyncClient(transport=transport, base_url="http://h/desk") as http:

            async def ask(name: str, path: str) -> None:
                statuses[name] = (await http.get(path)).status_code

            async with anyio.create_task_group() as group:
                group.start_soon(ask, "first", "/slow")
                await desk.inside.wait()
                await ask("second", "/slow")
                await ask("health", "/quick")
                desk.leave.set()
        return rim

    rim = anyio.run(run)
    assert statuses == {"first": 200, "second": 503, "health": 200}
    assert rim.lanes["requests"].counts() == {"inside": 0, "limit": 1, "refused": 1}


def test_what_is_postponed_comes_again_with_its_ticket() -> None:
    async def run() -> tuple[int, list[object]]:
        desk = Desk()
        transport = httpx2.ASGITransport(app=desk.rim())
        async with httpx2.AsyncClient(transport=transport, base_url="http://h/desk") as http:
            return (await http.get("/twice")).status_code, desk.tickets

    assert anyio.run(run) == (200, [None, "the ticket"])


def test_transfers_are_counted_by_holder_and_in_all() -> None:
    transfers = Transfers(Limits(project_uploads=1, uploads=2, host_downloads=1))
    with transfers.one("uploads", "project a"):
        with pytest.raises(Busy, match="1 uploads of project a"), transfers.one("uploads", "project a"):
            pass
        with transfers.one("uploads", "project b"), pytest.raises(Unavailable), transfers.one("uploads", "project c"):
            pass
        with transfers.one("host downloads", "host h"), pytest.raises(Busy), transfers.one("host downloads", "host h"):
            pass
    with transfers.one("uploads", "project a"):
        assert transfers.counts()["uploads"] == {"inside": 1, "limit": 2, "refused": 2}
