"""What a request may carry: bodies, queries."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from starlette.testclient import TestClient

from kilonova.api.framework import Reply
from tests.apiclient import client
from tests.unit.api.framework.example import Kites
from tests.unit.api.framework.journeys import BASE, message, post, rim_of


def test_wrong_fields_are_named_as_sent(api: TestClient) -> None:
    assert "kite.OS-KITE:string" in message(post(api, "/kites", b'{"kite": {"name": "x", "OS-KITE:string": 0}}'))


@pytest.mark.parametrize("body", [b"", b"{", b"nul", b"\xff", b"[" * 90_000, b'{"kite": 1}', b"{}"])
def test_broken_bodies_are_400(api: TestClient, body: Any) -> None:
    assert post(api, "/kites", body).status_code == 400


def test_nul_characters_are_refused_and_their_spelling_is_not(api: TestClient, kites: Kites) -> None:
    reply = post(api, "/kites", rb'{"kite": {"name": "x", "metadata": {"a": "b\u0000"}}}')
    assert reply.status_code == 400
    assert "NUL" in message(reply)
    assert post(api, "/kites", rb'{"kite": {"name": "x", "metadata": {"a": "b\\u0000"}}}').status_code == 202
    assert kites.seen.params.metadata == {"a": r"b\u0000"}
    for path in ("/kites/%00", "/kites?name=%00"):
        assert api.get(BASE + path).status_code == 400


@pytest.mark.parametrize(("kind", "status"), [("text/plain", 415), ("application/json; charset=utf-8", 202), ("", 202)])
def test_only_json_is_read(api: TestClient, kind: Any, status: int) -> None:
    assert post(api, "/kites", b'{"kite": {"name": "x"}}', **{"Content-Type": kind}).status_code == status


def test_a_route_may_read_another_type(api: TestClient, kites: Kites) -> None:
    send = {"content": b'[{"length": 1}]'}
    assert api.patch(BASE + "/hooks", headers={"Content-Type": "application/x-patch+json"}, **send).status_code == 204
    assert [tail.length for tail in kites.seen.params] == [1]
    assert api.patch(BASE + "/hooks", headers={"Content-Type": "application/json"}, **send).status_code == 415


def test_a_body_has_a_size(open_client: Callable[..., TestClient]) -> None:
    api = open_client(max_body=100)
    big = b'{"kite": {"name": "' + b"x" * 100 + b'"}}'
    for body in (big, iter([big[:90], big[90:]])):
        reply = post(api, "/kites", body)
        assert reply.status_code == 413
        assert "100 bytes" in message(reply)
    assert post(api, "/kites", b'{"kite": {"name": "x"}}').status_code == 202


def test_a_broken_content_length_is_refused(api: TestClient) -> None:
    assert post(api, "/kites", b"{}", **{"Content-Length": "many"}).status_code == 400


def test_lists_page(api: TestClient) -> None:
    seen, url = [], BASE + "/kites?limit=2"
    while url:
        reply = api.get(url).json()
        seen += [kite["id"] for kite in reply["kites"]]
        url = reply["kites_links"][0]["href"] if "kites_links" in reply else None
    assert seen == ["k0", "k1", "k2", "k3", "k4"]


@pytest.mark.parametrize("query", ["limit=-1", "limit=x", "sort_key=nix", "sort_key=name&sort_dir=up"])
def test_wrong_queries_are_400(api: TestClient, query: Any) -> None:
    assert api.get(f"{BASE}/kites?{query}").status_code == 400


def test_unknown_query_keys_are_refused_from_their_version(open_client: Callable[..., TestClient]) -> None:
    assert open_client(version="compute 2.9").get(BASE + "/kites?nix=1").status_code == 200
    assert open_client(version="compute 2.10").get(BASE + "/kites?nix=1").status_code == 400


def test_line_breaks_cannot_get_into_headers(kites: Kites) -> None:
    class Careless(Kites):
        def show(self, req: Any) -> Any:
            return Reply(None, headers={"Location": "http://h/\r\nSet-Cookie: a=b"})

    with client(rim_of(Careless()), "member") as api:
        headers = api.get(BASE + "/kites/k1").headers
    assert "Set-Cookie" not in headers
    assert headers["Location"] == "http://h/ Set-Cookie: a=b"


def test_a_query_has_a_number_of_parts(api: TestClient) -> None:
    assert api.get(BASE + "/kites?" + "&".join(["tag=a"] * 1000)).status_code == 200
    assert api.get(BASE + "/kites?" + "&".join(["tag=a"] * 1001)).status_code == 400
