from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import httpx2
import pytest

from kilonova.cli.accounts import Account
from kilonova.cli.client import ApiError, Client, Unreachable
from kilonova.cli.errors import CliError

BASE = "http://cloud"
Answer = Callable[[httpx2.Request], httpx2.Response]


class Cloud:
    """Tokens that can be revoked, and whatever a test has it answer."""

    def __init__(self, answer: Answer) -> None:
        self.answer = answer
        self.logins = 0
        self.asked: list[tuple[str, str, str]] = []

    def __call__(self, request: httpx2.Request) -> httpx2.Response:
        if request.url.path == "/identity/v3/auth/tokens":
            self.logins += 1
            return httpx2.Response(201, json={"token": token()}, headers={"X-Subject-Token": f"t{self.logins}"})
        self.asked.append((request.method, str(request.url).removeprefix(BASE), request.headers["X-Auth-Token"]))
        return self.answer(request)


def token() -> dict[str, Any]:
    paths = {"compute": "/compute/v2.1", "image": "/image", "network": "/networking"}
    catalog = [
        {"type": kind, "endpoints": [{"interface": "public", "region_id": "RegionOne", "url": BASE + path}]}
        for kind, path in paths.items()
    ]
    return {"catalog": catalog, "project": {"id": "p"}, "roles": [{"name": "member"}]}


def client(cloud: Answer, **changes: Any) -> Client:
    auth = {"username": "u", "password": "p", "project_name": "q"}
    account = Account(auth_url=f"{BASE}/identity", auth=auth, source="here", **changes)
    return Client(account, transport=httpx2.MockTransport(cloud))


def test_services_are_found_in_the_catalog_and_their_versions_added() -> None:
    cloud = Cloud(lambda _: httpx2.Response(200, json={}))
    with client(cloud) as one:
        for service in ("compute", "image", "network", "kilonova"):
            one.get(service, "/things")
    assert [url for _, url, _ in cloud.asked] == [
        "/compute/v2.1/things", "/image/v2/things", "/networking/v2.0/things", "/kilonova/v1/things"
    ]  # fmt: skip
    assert cloud.logins == 1


def test_a_401_is_answered_with_one_new_login_and_the_same_request() -> None:
    def answer(request: httpx2.Request) -> httpx2.Response:
        if request.headers["X-Auth-Token"] == "t1":
            return httpx2.Response(401, json={"error": {"message": "expired"}})
        return httpx2.Response(202, json={"got": json.loads(request.content)})

    cloud = Cloud(answer)
    with client(cloud) as one:
        assert one.call("compute", "POST", "/servers", body={"a": 1}) == {"got": {"a": 1}}
    assert cloud.asked == [("POST", "/compute/v2.1/servers", "t1"), ("POST", "/compute/v2.1/servers", "t2")]


def test_a_second_401_is_an_answer() -> None:
    cloud = Cloud(lambda _: httpx2.Response(401, json={"error": {"message": "no", "code": 401}}))
    with client(cloud) as one, pytest.raises(ApiError, match="no") as refused:
        one.get("compute", "/servers")
    assert (refused.value.status, cloud.logins, len(cloud.asked)) == (401, 2, 2)


@pytest.mark.parametrize(
    ("status", "body", "message", "exit_code"),
    [
        (404, {"itemNotFound": {"code": 404, "message": "no such"}}, "no such", 3),
        (409, {"NeutronError": {"type": "Conflict", "message": "in use", "detail": ""}}, "in use", 1),
        (403, {"error": {"message": "not yours", "code": 403}}, "not yours", 1),
        (503, None, "503 Service Unavailable", 1),
    ],
)
def test_every_services_refusals_are_read(status: int, body: Any, message: str, exit_code: int) -> None:
    cloud = Cloud(lambda _: httpx2.Response(status, json=body) if body else httpx2.Response(status, content=b"<html>"))
    with client(cloud) as one, pytest.raises(ApiError) as refused:
        one.get("compute", "/x")
    assert (refused.value.message, refused.value.status, refused.value.exit_code) == (message, status, exit_code)


def test_lists_are_followed_to_their_end_on_our_own_url() -> None:
    def answer(request: httpx2.Request) -> httpx2.Response:
        marker = request.url.params.get("marker")
        if marker is None:
            link = {"rel": "next", "href": "http://elsewhere/compute/v2.1/servers?limit=1&marker=a&status=X"}
            return httpx2.Response(200, json={"servers": [{"id": "a"}], "servers_links": [link]})
        return httpx2.Response(200, json={"servers": [{"id": marker + "b"}]})

    cloud = Cloud(answer)
    with client(cloud) as one:
        assert [server["id"] for server in one.pages("compute", "/servers", "servers", status="X")] == ["a", "ab"]
    assert [url for _, url, _ in cloud.asked] == [
        "/compute/v2.1/servers?status=X", "/compute/v2.1/servers?limit=1&marker=a&status=X"
    ]  # fmt: skip


def test_a_service_that_is_not_in_the_catalog_or_the_region_is_named() -> None:
    cloud = Cloud(lambda _: httpx2.Response(200, json={}))
    with client(cloud) as one, pytest.raises(CliError, match="no volume service"):
        one.get("volume", "/x")
    with client(cloud, region="Mars") as one, pytest.raises(CliError, match="no compute service"):
        one.get("compute", "/x")


def test_nobody_there_and_somebody_else_there() -> None:
    def refuse(request: httpx2.Request) -> httpx2.Response:
        raise httpx2.ConnectError("refused", request=request)

    with client(refuse) as one, pytest.raises(Unreachable, match="Nothing answers at http://cloud") as nobody:
        one.get("compute", "/x")
    assert nobody.value.next_step == "kilonova up"
    with (
        client(lambda _: httpx2.Response(200, content=b"hello")) as one,
        pytest.raises(Unreachable, match="not an OpenStack"),
    ):
        one.get("compute", "/x")


def test_an_answer_that_does_not_come_is_a_timeout() -> None:
    def late(request: httpx2.Request) -> httpx2.Response:
        raise httpx2.ReadTimeout("late", request=request)

    with client(late) as one, pytest.raises(Unreachable) as told:
        one.get("compute", "/x")
    assert told.value.exit_code == 4
