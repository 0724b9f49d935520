"""The API for hosts, as administrators and hosts see it."""

from __future__ import annotations

import base64

import pytest

from kilonova.identity.throttle import FREE_FAILURES
from tests.apiclient import client, compile_all
from tests.fakes.auth import MEMBER_A, READER_A
from tests.story.hosts.conftest import BASE, Fleet

NOWHERE = "99999999-2222-4333-8444-555555555555"


def test_every_codec_compiles(fleet: Fleet) -> None:
    assert compile_all(fleet.rim.services[0]) > 5


def test_a_host_comes_in_is_listed_and_goes(fleet: Fleet) -> None:
    secret = fleet.join("rack-1")
    assert len(secret) > 40
    rows = {row["name"]: row for row in fleet.admin.get(f"{BASE}/").json()["hosts"]}
    assert list(rows) == ["host-0", "host-1", "rack-1"]
    assert (rows["host-0"]["state"], rows["host-0"]["vcpus"], rows["host-0"]["joined_at"]) == ("up", 4, None)
    assert (rows["rack-1"]["state"], rows["rack-1"]["seen_at"]) == ("down", None)
    assert rows["rack-1"]["joined_at"] == "2026-01-01T00:00:00Z"
    assert fleet.admin.delete(f"{BASE}/rack-1").status_code == 204
    assert fleet.accounts.held == {}
    assert "rack-1" not in fleet.admin.get(f"{BASE}/").text
    assert fleet.admin.delete(f"{BASE}/rack-1").status_code == 204  # again, which finishes what may have been left
    assert fleet.admin.delete(f"{BASE}/nobody").status_code == 404


def test_a_host_with_servers_stays(fleet: Fleet) -> None:
    server = fleet.world.boot()
    fleet.world.settle()
    host = fleet.world.server(server).host
    answer = fleet.admin.delete(f"{BASE}/{host}")
    assert answer.status_code == 409
    assert "1 servers are on host" in answer.json()["conflictingRequest"]["message"]


def test_tokens_are_listed_without_their_texts(fleet: Fleet) -> None:
    text = fleet.token(host="rack-1", expires_in_s=60)
    (token,) = fleet.admin.get(f"{BASE}/tokens").json()["tokens"]
    assert (token["host"], token["expires_at"], token["used_by"]) == ("rack-1", "2026-01-01T00:01:00Z", None)
    assert "text" not in token
    assert text.partition(".")[2] not in str(token)


@pytest.mark.parametrize("token", [READER_A, MEMBER_A])
def test_only_administrators_run_hosts(fleet: Fleet, token: str) -> None:
    with client(fleet.rim, token) as stranger:
        for method, path in (
            ("GET", "/"), ("GET", "/tokens"), ("POST", "/tokens"), ("GET", "/refusals"), ("DELETE", "/host-0"),
        ):  # fmt: skip
            assert stranger.request(method, BASE + path, json={"token": {}}).status_code == 403


def test_whoever_guesses_a_token_has_to_wait_and_is_written_down(fleet: Fleet) -> None:
    wrong = {"host": {"token": "0" * 36 + ".guess", "name": "rack-1"}}
    codes = [fleet.nobody.post(f"{BASE}/join", json=wrong).status_code for _ in range(FREE_FAILURES + 2)]
    assert codes == [401] * (FREE_FAILURES + 1) + [429]
    token = fleet.token()
    right = {"host": {"token": token, "name": "rack-1"}}
    (refusal,) = fleet.admin.get(f"{BASE}/refusals").json()["refusals"]
    assert (refusal["what"], refusal["why"], refusal["about"]) == ("join", "there is no such token", "rack-1")
    assert fleet.admin.get(f"{BASE}/refusals", params={"sender": refusal["sender"]}).json()["refusals"] == [refusal]
    assert fleet.admin.get(f"{BASE}/refusals", params={"sender": "host.x"}).json()["refusals"] == []
    assert fleet.nobody.post(f"{BASE}/join", json=right).status_code == 201  # and keeps nobody out who has one


def test_a_refusal_to_join_says_what_why_and_what_next(fleet: Fleet) -> None:
    token = fleet.token(host="rack-1")
    answer = fleet.nobody.post(f"{BASE}/join", json={"host": {"token": token, "name": "rack-2"}})
    message = answer.json()["unauthorized"]["message"]
    assert "does not let host rack-2 in: the token is for another host" in message
    assert "kilonova host token" in message


def test_a_bus_that_is_down_is_said_and_the_token_stays_good(fleet: Fleet) -> None:
    asked = {"host": {"token": fleet.token(), "name": "rack-1"}}
    fleet.accounts.is_down = True
    assert fleet.nobody.post(f"{BASE}/join", json=asked).status_code == 503
    fleet.accounts.is_down = False
    assert fleet.nobody.post(f"{BASE}/join", json=asked).status_code == 201


def test_whoever_guesses_a_credential_has_to_wait_and_keeps_no_host_out(fleet: Fleet) -> None:
    path, secret = f"{BASE}/self/images/{NOWHERE}", fleet.join("rack-1")
    codes = [fleet.nobody.get(path, auth=("rack-1", "guess")).status_code for _ in range(FREE_FAILURES + 2)]
    assert codes == [401] * (FREE_FAILURES + 1) + [429]
    assert fleet.nobody.get(path, auth=("rack-1", secret)).status_code == 403  # known, and without business there


@pytest.mark.parametrize(
    "header",
    ["", "Basic", "Basic !!!", "Bearer x", "Basic " + base64.b64encode(b"host-0:wrong").decode(),
     "Basic " + base64.b64encode(b"\xff\xfe").decode(), "Basic " + base64.b64encode(b"no-colon").decode()],
)  # fmt: skip
def test_no_image_for_who_is_no_host(fleet: Fleet, header: str) -> None:
    path = f"{BASE}/self/images/{NOWHERE}"
    answer = fleet.nobody.get(path, headers={"Authorization": header})
    assert answer.status_code == 401
