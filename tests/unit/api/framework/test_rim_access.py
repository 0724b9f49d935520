"""The way of a request up to its handler: token, policy, version, route, action."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from starlette.testclient import TestClient

from kilonova.api.framework import NETWORK
from tests.unit.api.framework.example import Kites
from tests.unit.api.framework.journeys import BASE, message, post


@pytest.mark.parametrize("path", ["/kites", "/nowhere", "/kites/k1/action"])
@pytest.mark.parametrize("token", [None, "alien"])
def test_without_a_token_nothing_is_learnt(
    open_client: Callable[..., TestClient], path: str, token: str | None
) -> None:
    reply = open_client(token).get(BASE + path, headers={"OpenStack-API-Version": "compute 9.9"})
    assert reply.status_code == 401
    assert reply.json()["unauthorized"]["code"] == 401
    assert reply.headers["WWW-Authenticate"] == 'Keystone uri="http://testserver/identity"'


def test_discovery_needs_no_token(open_client: Callable[..., TestClient]) -> None:
    for path in ("/compute", "/compute/"):
        assert open_client(None).get(path).json() == {"versions": ["http://testserver/compute"]}


def test_policy_refuses_before_the_body_is_looked_at(open_client: Callable[..., TestClient]) -> None:
    reply = post(open_client("reader"), "/kites", b"junk")
    assert reply.status_code == 403
    assert message(reply) == "Policy doesn't allow os_compute_api:kites:create to be performed."


def test_a_handler_may_ask_what_to_show(open_client: Callable[..., TestClient]) -> None:
    assert "OS-EXT-SRV-ATTR:host" not in open_client("reader").get(BASE + "/kites/k1").json()["kite"]
    assert open_client("admin").get(BASE + "/kites/k1").json()["kite"]["OS-EXT-SRV-ATTR:host"] == "h1"


def test_a_project_in_the_path_must_be_the_tokens_own(api: TestClient) -> None:
    assert api.get("/compute/v2.1/abc/kites/k1").status_code == 200
    reply = api.get("/compute/v2.1/abd/kites/k1")
    assert reply.status_code == 400
    assert "'abd' doesn't match" in message(reply)


def test_links_keep_the_project_where_the_client_had_it(api: TestClient, kites: Kites) -> None:
    reply = post(api, "/abc/kites", b'{"kite": {"name": "x"}}')
    assert reply.status_code == 202
    assert reply.headers["Location"] == "http://testserver/compute/v2.1/abc/kites/k9"
    assert kites.seen.root_url == "http://testserver/compute/abc"


def test_versions_are_negotiated_and_echoed(api: TestClient) -> None:
    for headers, spoken in (
        ({}, "2.1"),
        ({"OpenStack-API-Version": "compute 2.6"}, "2.6"),
        ({"OpenStack-API-Version": "volume 3.1, compute latest"}, "2.10"),
        ({"OpenStack-API-Version": "volume 3.1"}, "2.1"),
        ({"X-OpenStack-Nova-API-Version": "2.5"}, "2.5"),
        ({"X-OpenStack-Nova-API-Version": "2.5", "OpenStack-API-Version": "compute 2.6"}, "2.6"),
    ):
        reply = api.get(BASE + "/kites/k1", headers=headers)
        assert reply.status_code == 200
        assert reply.headers["OpenStack-API-Version"] == f"compute {spoken}"
        assert reply.headers["X-OpenStack-Nova-API-Version"] == spoken
        assert reply.headers["Vary"] == "OpenStack-API-Version, X-OpenStack-Nova-API-Version"


@pytest.mark.parametrize(("asked", "status"), [("2.11", 406), ("2.0", 406), ("2.x", 400), ("", 400), ("2.1 2.2", 400)])
def test_versions_that_are_not_spoken(api: TestClient, asked: Any, status: int) -> None:
    reply = api.get(BASE + "/kites", headers={"OpenStack-API-Version": f"compute {asked}"})
    assert reply.status_code == status
    assert "Vary" in reply.headers
    assert message(reply)


def test_a_status_may_change_with_the_version(open_client: Callable[..., TestClient]) -> None:
    assert open_client(version="compute 2.1").delete(BASE + "/kites/k1").status_code == 202
    reply = open_client(version="compute 2.2").delete(BASE + "/kites/k2")
    assert (reply.status_code, reply.content) == (204, b"")
    assert "content-length" not in reply.headers


def test_a_service_without_microversions_says_nothing_of_them(open_client: Callable[..., TestClient]) -> None:
    reply = open_client(microversions=None).get(BASE + "/kites/k1")
    assert reply.status_code == 200
    assert "Vary" not in reply.headers


def test_unknown_paths_and_methods_are_not_found(api: TestClient) -> None:
    for method, path in (("GET", "/nix"), ("PATCH", "/kites"), ("GET", "/kites/k1/nix"), ("BREW", "/kites")):
        assert api.request(method, BASE + path).status_code == 404
    assert api.get("/elsewhere").status_code == 404
    assert api.get("/compute/v2.11/kites").status_code == 404
    assert api.get("/computer").status_code == 404


def test_a_service_may_tell_its_methods(open_client: Callable[..., TestClient]) -> None:
    reply = open_client(tell_methods=True, style=NETWORK).patch(BASE + "/kites")
    assert reply.status_code == 405
    assert reply.headers["Allow"] == "GET, POST"
    assert reply.json()["NeutronError"]["type"] == "HTTPMethodNotAllowed"


def test_what_is_gone_says_so(api: TestClient) -> None:
    assert api.get(BASE + "/os-balloons").status_code == 410
    assert post(api, "/kites/k1/action", b'{"burst": null}').status_code == 410


def test_head_has_gets_headers_and_no_body(api: TestClient) -> None:
    get, head = api.get(BASE + "/kites/k1"), api.head(BASE + "/kites/k1")
    assert head.status_code == 200
    assert head.content == b""
    assert head.headers["Content-Length"] == get.headers["Content-Length"]


def test_actions_are_told_apart_by_their_key(open_client: Callable[..., TestClient], kites: Kites) -> None:
    api = open_client(version="compute 2.3")
    assert post(api, "/kites/k1/action", b'{"cutString": {"force": "on"}}').status_code == 202
    assert kites.seen.params.force is True
    assert post(api, "/kites/k1/action", b'{"land": null}').status_code == 202
    assert kites.seen.params is None
    assert kites.seen.path == {"kite_id": "k1"}


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b'{"nix": {}}', 400),
        (b"{}", 400),
        (b'{"land": null, "cutString": {}}', 400),
        (b'{"cutString": {}}', 404),
        (b'{"land": {"force": 7}}', 400),
        (b'{"land": []}', 400),
        (b"[]", 400),
        (b"null", 400),
        (b"", 400),
        (b"{", 400),
        (b'{"land": ' + b"[" * 90_000, 400),
        (b'{"land": {"force": "\\u0000"}}', 400),
    ],
)
def test_wrong_actions(api: TestClient, body: Any, status: int) -> None:
    assert post(api, "/kites/k1/action", body).status_code == status


def test_wrong_fields_of_actions_are_named(api: TestClient) -> None:
    assert "land.force:" in message(post(api, "/kites/k1/action", b'{"land": {"force": 7}}'))
