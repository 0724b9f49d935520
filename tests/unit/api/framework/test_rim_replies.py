"""What a request leaves behind: errors, ids, log lines, counters; and the rim as a whole."""

from __future__ import annotations

import threading
from typing import Any, Never

import anyio
import anyio.lowlevel
import httpx2
import msgspec
import pytest
import structlog
from prometheus_client import CollectorRegistry
from starlette.testclient import TestClient

from kilonova.api.framework import NETWORK, Limits, Rim, RimMetrics, Route, Service, View
from kilonova.domain.errors import Unavailable
from tests.apiclient import FakeAuthenticator, caller, client, compile_all
from tests.unit.api.framework.conftest import CALLERS
from tests.unit.api.framework.example import Kites, kite_service, policy
from tests.unit.api.framework.journeys import BASE, REQUEST_ID, message


@pytest.mark.parametrize(
    ("how", "status", "key"), [("conflict", 409, "conflictingRequest"), ("quota", 403, "forbidden")]
)
def test_errors_of_the_domain_are_translated(api: TestClient, how: Any, status: int, key: Any) -> None:
    reply = api.get(f"{BASE}/fail/{how}")
    assert (reply.status_code, list(reply.json())) == (status, [key])


def test_unavailable_says_when_to_come_back(api: TestClient) -> None:
    reply = api.get(BASE + "/fail/later")
    assert (reply.status_code, reply.headers["Retry-After"]) == (503, "7")


def test_a_bug_tells_the_user_only_its_id(api: TestClient) -> None:
    with structlog.testing.capture_logs() as logs:
        reply = api.get(BASE + "/fail/bug")
    assert reply.status_code == 500
    assert reply.headers["X-Openstack-Request-Id"] in message(reply)
    assert "hunter2" not in reply.text
    bug = next(entry for entry in logs if entry["event"] == "bug")
    assert "ZeroDivisionError" in bug["traceback"]
    assert "locals" not in bug["traceback"]


def test_every_reply_has_its_ids(api: TestClient) -> None:
    for path in ("/kites/k1", "/kites/none", "/nix"):
        headers = api.get(BASE + path).headers
        assert REQUEST_ID.match(headers["X-Openstack-Request-Id"])
        assert headers["X-Compute-Request-Id"] == headers["X-Openstack-Request-Id"]


def test_the_context_has_the_id_that_is_told(api: TestClient, kites: Kites) -> None:
    reply = api.get(BASE + "/kites/k1")
    assert kites.seen.ctx.request_id == reply.headers["X-Openstack-Request-Id"]


def test_the_access_log_names_the_route_and_never_the_token(kites: Kites) -> None:
    secret = "s3cr3t-token"
    rim = Rim([kite_service(kites)], authenticator=FakeAuthenticator({secret: CALLERS["member"]}), policy=policy())
    with client(rim, secret) as api, structlog.testing.capture_logs() as logs:
        api.get(BASE + "/kites/k1")
        api.get(BASE + "/fail/bug")
    assert logs[0] | {"route": "GET /kites/{kite_id}", "status": 200, "project_id": "abc", "version": "2.1"} == logs[0]
    assert secret not in repr(logs)


def test_counters_know_routes_and_never_ids(kites: Kites) -> None:
    registry = CollectorRegistry()
    rim = Rim(
        [kite_service(kites)],
        authenticator=FakeAuthenticator(CALLERS),
        policy=policy(),
        metrics=RimMetrics(registry),
    )
    with client(rim, "member") as api:
        for path in ("/kites/k1", "/kites/k2", "/kites/none", "/nix"):
            api.get(BASE + path)

    def count(route: Any, status: int) -> Any:
        labels = {"service": "compute", "route": route, "status": status}
        return registry.get_sample_value("kilonova_api_requests_total", labels)

    assert count("GET /kites/{kite_id}", "200") == 2
    assert count("GET /kites/{kite_id}", "404") == 1
    assert count("unmatched", "404") == 1


def test_the_identity_service_being_away_is_503(kites: Kites) -> None:
    class Away:
        def authenticate(self, token: str | None) -> Never:
            raise Unavailable("Identity is away.")

    with client(Rim([kite_service(kites)], authenticator=Away(), policy=policy()), "x") as api:
        assert api.get(BASE + "/kites").status_code == 503


def test_handlers_run_beside_the_event_loop(api: TestClient, kites: Kites) -> None:
    api.get(BASE + "/kites/k1")
    assert threading.get_ident() not in kites.threads


def test_an_overlong_queue_is_refused_at_once(kites: Kites) -> None:
    """One thread, one waiting: of three requests at a time the third hears 503 while the first still runs."""
    inside, leave = threading.Event(), threading.Event()

    class Slow(Kites):
        def show(self, req: Any) -> Any:
            inside.set()
            assert leave.wait(10)
            return super().show(req)

    slow = Slow()
    rim = Rim(
        [kite_service(slow)],
        authenticator=FakeAuthenticator(CALLERS),
        policy=policy(),
        limits=Limits(threads=1, waiting=1),
    )

    async def crowd() -> list[int]:
        statuses: list[int] = []
        transport = httpx2.ASGITransport(app=rim)
        async with httpx2.AsyncClient(
            transport=transport, base_url="http://h", headers={"X-Auth-Token": "member"}
        ) as http:

            async def get() -> None:
                statuses.append((await http.get(BASE + "/kites/k1")).status_code)
                leave.set()

            async with anyio.create_task_group() as group:
                for _ in range(3):
                    group.start_soon(get)
        return statuses

    assert anyio.run(crowd) == [503, 200, 200]
    assert inside.is_set()


def test_a_client_that_leaves_is_not_answered(kites: Kites) -> None:
    rim = Rim([kite_service(kites)], authenticator=FakeAuthenticator(CALLERS), policy=policy())
    sent = []

    async def leave() -> None:
        async def receive() -> Any:
            return {"type": "http.disconnect"}

        async def send(message: Any) -> None:
            sent.append(message)

        scope = {
            "type": "http",
            "method": "POST",
            "scheme": "http",
            "path": BASE + "/kites",
            "query_string": b"",
            "headers": [(b"x-auth-token", b"member")],
        }
        await rim(scope, receive, send)

    anyio.run(leave)
    assert sent == []


def test_several_services_share_a_port(kites: Kites) -> None:
    other = Service("network", mount="/networking", prefix="/v2.0", style=NETWORK, routes=[])
    rim = Rim([kite_service(kites), other], authenticator=FakeAuthenticator(CALLERS), policy=policy())
    with client(rim, "member") as api:
        assert "NeutronError" in api.get("/networking/v2.0/nix").json()
        assert "itemNotFound" in api.get(BASE + "/nix").json()


def test_a_fixed_public_url_makes_the_links(kites: Kites) -> None:
    rim = Rim(
        [kite_service(kites)],
        authenticator=FakeAuthenticator({"t": caller("abc", "member")}),
        policy=policy(),
        public_url="https://cloud.example.org",
    )
    with client(rim, "t") as api:
        links = msgspec.json.decode(api.get(BASE + "/kites?limit=1").content)["kites_links"]
    assert links[0]["href"] == "https://cloud.example.org/compute/v2.1/kites?limit=1&marker=k0"


def test_every_codec_of_every_version_compiles(kites: Kites) -> None:
    assert compile_all(kite_service(kites)) > 20


def test_a_broken_annotation_is_told_at_the_start(kites: Kites) -> None:
    class Broken(View):
        name: "Unheard"  # noqa: F821, UP037

    with pytest.raises(NameError):
        kite_service(kites, routes=[Route("GET", "/x", Kites.plain, view=Broken)])
