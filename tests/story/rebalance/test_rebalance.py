"""Plans of moves over HTTP: who may ask, what may be asked, and what is refused with why."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from kilonova.api import rebalance
from kilonova.api.framework import COMPUTE, Policy, Rim, Service, bind
from kilonova.domain.clock import SystemClock
from kilonova.rebalance.records import Rebalancing
from kilonova.scheduler.settings import SchedulerSettings
from tests import databases
from tests.apiclient import client
from tests.fakes.auth import ADMIN, MANAGER_A, MEMBER_A, FakeAuthenticator

PLAN = "/kilonova/v1/rebalance"


@pytest.fixture
def api(tmp_path: Path) -> Iterator[TestClient]:
    with databases.sqlite(tmp_path) as database:
        made = rebalance.Rebalances(Rebalancing(database, SystemClock(), SchedulerSettings()))
        service = Service(
            "kilonova", mount="/kilonova", prefix="/v1", style=COMPUTE, routes=bind(rebalance.ROUTES, made)
        )
        app = Rim([service], authenticator=FakeAuthenticator(), policy=Policy(rebalance.POLICIES))
        with client(app) as asking:
            asking.headers["X-Auth-Token"] = ADMIN
            yield asking


def test_an_empty_fleet_has_a_plan_without_moves(api: TestClient) -> None:
    answer = api.get(PLAN, params={"goal": "pack", "max_moves": 3, "max_ram": 1024})
    assert answer.status_code == 200
    assert answer.json()["rebalance"] == {
        "goal": "pack", "measure": "hosts in use", "before": 0.0, "after": 0.0, "moves": [], "ram": 0, "hosts": 0,
        "servers": 0, "fixed": {}, "ended": "no further move within the limits gains anything",
    }  # fmt: skip
    assert api.get(PLAN).json()["rebalance"]["goal"] == "spread"


@pytest.mark.parametrize(
    "query",
    ["goal=tidy", "max_moves=0", "max_moves=1001", "max_moves=x", "max_ram=0", "max_ram=9999999999999999", "moves=1"],
)
def test_what_is_no_limit_or_goal_is_refused(api: TestClient, query: str) -> None:
    assert api.get(f"{PLAN}?{query}").status_code == 400


@pytest.mark.parametrize("token", [MANAGER_A, MEMBER_A])
@pytest.mark.parametrize(("method", "path"), [("GET", ""), ("POST", "/apply"), ("POST", "/undo")])
def test_only_administrators_may(api: TestClient, token: str, method: str, path: str) -> None:
    assert api.request(method, PLAN + path, headers={"X-Auth-Token": token}).status_code == 403


@pytest.mark.parametrize(("path", "said"), [("/apply", "cannot migrate servers yet"), ("/undo", "nothing to undo")])
def test_carrying_out_is_a_conflict_that_says_why(api: TestClient, path: str, said: str) -> None:
    answer = api.post(PLAN + path)
    assert answer.status_code == 409
    assert said in answer.json()["conflictingRequest"]["message"]
    assert "GET /kilonova/v1/rebalance" in answer.json()["conflictingRequest"]["message"]
