"""Who may see an embedded cloud's counters: on loopback whoever is on this machine, beyond it operators."""

from __future__ import annotations

import pytest
from prometheus_client import CollectorRegistry, Counter
from starlette.testclient import TestClient

from kilonova.api.framework import Policy, Rim
from kilonova.api.operations import POLICIES, Metrics, metrics_service
from kilonova.domain.addresses import is_loopback
from tests.apiclient import client
from tests.fakes.auth import ADMIN, MEMBER_A, FakeAuthenticator


def at(host: str) -> TestClient:
    registry = CollectorRegistry()
    Counter("things", "Things", registry=registry).inc()
    service = metrics_service(Metrics(registry), is_local=is_loopback(host))
    return client(Rim([service], authenticator=FakeAuthenticator(), policy=Policy(POLICIES)))


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "localhost"])
def test_on_loopback_they_need_no_token_but_through_a_proxy_they_do(host: str) -> None:
    here = at(host)
    assert "things_total 1.0" in here.get("/metrics").text
    for header in ("X-Forwarded-For", "Forwarded"):
        assert here.get("/metrics", headers={header: "for=192.0.2.1"}).status_code == 401


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "cloud.example.org"])  # noqa: S104 - to be refused
def test_beyond_loopback_they_are_operators(host: str) -> None:
    beyond = at(host)
    for token, status in ((None, 401), ("nonsense", 401), (MEMBER_A, 403), (ADMIN, 200)):
        answer = beyond.get("/metrics", headers={"X-Auth-Token": token} if token else {})
        assert answer.status_code == status
        assert ("things" in answer.text) is (status == 200)
