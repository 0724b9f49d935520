"""Logging in, as clients do it."""

from __future__ import annotations

from typing import Any

import pytest

from kilonova.domain.errors import Postponed
from kilonova.identity.bootstrap import Credentials
from kilonova.identity.service import Identity
from kilonova.identity.throttle import FREE_FAILURES, LONGEST_WAIT_S
from tests.fakes.identity import BASE_URL, Caller, account, login, project
from tests.world.clock import ManualClock


def token_of(caller: Caller) -> dict[str, Any]:
    assert caller.token is not None
    found: dict[str, Any] = caller.ok("GET", "/auth/tokens", **{"X-Subject-Token": caller.token})["token"]
    return found


def test_discovery_needs_no_token(nobody: Caller) -> None:
    versions = nobody.http.get("/identity/", follow_redirects=False)
    assert versions.status_code == 300
    (version,) = versions.json()["versions"]["values"]
    assert version["links"][0]["href"] == "http://testserver/identity/v3/"
    assert nobody.http.get("/identity").status_code == 300
    for path in ("/identity/v3", "/identity/v3/"):
        assert nobody.http.get(path).json()["version"] == version


@pytest.mark.parametrize(
    ("scope", "shown"),
    [
        (None, {"project"}),
        (project("admin"), {"project"}),
        ({"system": {"all": True}}, {"system"}),
        ("unscoped", set()),
    ],
)
def test_a_token_shows_its_scope(nobody: Caller, credentials: Credentials, scope: Any, shown: set[str]) -> None:
    token = token_of(nobody.log_in(account("admin", credentials.admin_password), scope))
    assert token.keys() & {"project", "domain", "system"} == shown
    assert ("catalog" in token) == ("roles" in token) == bool(shown)
    assert token["user"]["name"] == "admin"


def test_the_catalog_has_the_token_s_project_in_it(nobody: Caller, credentials: Credentials) -> None:
    token = token_of(nobody.log_in(account("demo", credentials.demo_password)))
    urls = {one["type"]: {end["url"] for end in one["endpoints"]} for one in token["catalog"]}
    assert urls["compute"] == {f"{BASE_URL}/compute/v2.1"}
    assert urls["object-store"] == {f"{BASE_URL}/object/AUTH_{token['project']['id']}"}
    system = nobody.log_in(account("admin", credentials.admin_password), {"system": {"all": True}})
    urls = {one["type"]: one["endpoints"] for one in system.ok("GET", "/auth/catalog")["catalog"]}
    assert urls["object-store"] == []


def test_nocatalog(nobody: Caller, credentials: Credentials) -> None:
    answer = nobody.send("POST", "/auth/tokens?nocatalog", login(account("demo", credentials.demo_password)))
    assert "catalog" not in answer.json()["token"]
    assert "roles" in answer.json()["token"]


def test_by_user_id_and_by_domain_name(nobody: Caller, credentials: Credentials, demo: Caller) -> None:
    user = token_of(demo)["user"]
    nobody.log_in({"id": user["id"], "password": credentials.demo_password})
    nobody.log_in({"name": "demo", "domain": {"name": "Default"}, "password": credentials.demo_password})


def test_a_token_buys_another_for_another_scope(nobody: Caller, admin: Caller, clock: ManualClock) -> None:
    first = token_of(admin)
    clock.advance(60)
    identity = {"methods": ["token"], "token": {"id": admin.token}}
    answer = nobody.send("POST", "/auth/tokens", {"auth": {"identity": identity, "scope": {"system": {"all": True}}}})
    token = answer.json()["token"]
    assert token["methods"] == ["token", "password"]
    assert token["expires_at"] == first["expires_at"]
    assert token["issued_at"] != first["issued_at"]
    assert token["audit_ids"][1:] == first["audit_ids"]


def test_both_methods_must_agree(nobody: Caller, admin: Caller, credentials: Credentials) -> None:
    identity = {
        "methods": ["password", "token"],
        "password": {"user": account("demo", credentials.demo_password)},
        "token": {"id": admin.token},
    }
    assert nobody.status("POST", "/auth/tokens", {"auth": {"identity": identity}}) == 401
    identity["password"] = {"user": account("admin", credentials.admin_password)}
    assert nobody.status("POST", "/auth/tokens", {"auth": {"identity": identity}}) == 201


@pytest.mark.parametrize(
    "user",
    [account("demo", "wrong"), account("nobody", "x"), {"id": "none", "password": "x"},
     {"name": "demo", "domain": {"name": "no such"}, "password": "x"}],
)  # fmt: skip
def test_a_refusal_reveals_nothing(nobody: Caller, user: dict[str, Any]) -> None:
    answer = nobody.send("POST", "/auth/tokens", login(user))
    assert answer.status_code == 401
    assert answer.json() == {
        "error": {"code": 401, "title": "Unauthorized", "message": "The request you have made requires authentication."}
    }
    assert "X-Subject-Token" not in answer.headers


def test_the_right_password_opens_whatever_was_guessed_before(nobody: Caller, credentials: Credentials) -> None:
    guesses = [login(account("demo", f"guess {i}")) for i in range(FREE_FAILURES + 2)]
    assert {nobody.status("POST", "/auth/tokens", guess) for guess in guesses} == {401}
    assert nobody.status("POST", "/auth/tokens", login(account("demo", credentials.demo_password))) == 201


def test_guesses_are_refused_when_all_turns_are_taken(nobody: Caller, started: tuple[Identity, Credentials]) -> None:
    identity = started[0]
    for _ in range(20):
        identity.throttle.failed("default/somebody", "testclient")
    for _ in range(2):
        with pytest.raises(Postponed):
            identity.throttle.admit("default/somebody", "testclient", None)
    wrong = {"name": "somebody", "domain": {"id": "default"}, "password": "x"}
    answer = nobody.send("POST", "/auth/tokens", login(wrong))
    assert answer.status_code == 429
    assert int(answer.headers["Retry-After"]) > LONGEST_WAIT_S
    assert identity.throttle.counts()["refused"] == 1
    assert identity.throttle.guessed() == ["default/somebody"]


def test_two_proofs_have_a_turn_each(nobody: Caller, credentials: Credentials) -> None:
    identity = {
        "methods": ["password", "application_credential"],
        "password": {"user": account("demo", credentials.demo_password)},
        "application_credential": {"id": "none", "secret": "guess"},
    }
    assert nobody.status("POST", "/auth/tokens", {"auth": {"identity": identity}}) == 401


BAD_LOGINS: list[Any] = [
    {},
    {"auth": {}},
    {"auth": None},
    {"auth": {"identity": {"methods": []}}},
    {"auth": {"identity": {"methods": ["password"]}}},
    {"auth": {"identity": {"methods": ["totp"], "totp": {"user": {}}}}},
    {"auth": {"identity": {"methods": ["__struct_fields__"]}}},
    {"auth": {"identity": {"methods": ["password"], "password": {"user": {"password": "x"}}}}},
    {"auth": {"identity": {"methods": ["password"], "password": {"user": {"name": "demo", "password": "x"}}}}},
    {"auth": {"identity": {"methods": ["password"], "password": {"user": {"id": "x", "password": 5}}}}},
    {"auth": {"identity": {"methods": ["password"], "password": {"user": {"id": "x", "password": "x" * 5000}}}}},
    {"auth": {"identity": {"methods": ["token"], "token": "x"}}},
    {"auth": {"identity": {"methods": ["application_credential"], "application_credential": {"secret": "x"}}}},
    login({"id": "x", "password": "x"}, "everything"),
    login({"id": "x", "password": "x"}, {}),
    login({"id": "x", "password": "x"}, {"project": {}}),
    login({"id": "x", "password": "x"}, {"project": {"name": "demo"}}),
    login({"id": "x", "password": "x"}, {"domain": {}}),
    login({"id": "x", "password": "x"}, {"system": {"all": False}}),
    login({"id": "x", "password": "x"}, {"system": {"all": True}, "domain": {"id": "default"}}),
    login({"id": "x", "password": "x"}, {"OS-TRUST:trust": {"id": "x"}}),
]


@pytest.mark.parametrize("body", BAD_LOGINS)
def test_a_login_that_makes_no_sense_is_told_why(nobody: Caller, body: Any) -> None:
    answer = nobody.send("POST", "/auth/tokens", body)
    assert answer.status_code == 400, answer.text
    assert answer.json()["error"]["message"]


@pytest.mark.parametrize("token", ["x", "gAAAAA", "\u00e9".encode("latin-1"), "g" * 6000])
def test_an_alien_token_is_refused_everywhere(nobody: Caller, admin: Caller, token: Any) -> None:
    assert nobody.http.get("/identity/v3/users", headers={"X-Auth-Token": token}).status_code == 401
    subject = {"X-Auth-Token": admin.token or "", "X-Subject-Token": token}
    assert nobody.http.get("/identity/v3/auth/tokens", headers=subject).status_code == 404


def test_people_look_at_their_own_tokens_and_admins_at_all(admin: Caller, demo: Caller) -> None:
    assert demo.status("GET", "/auth/tokens", **{"X-Subject-Token": admin.token or ""}) == 403
    assert demo.status("DELETE", "/auth/tokens", **{"X-Subject-Token": admin.token or ""}) == 403
    assert demo.status("GET", "/auth/tokens") == 400
    assert admin.status("HEAD", "/auth/tokens", **{"X-Subject-Token": demo.token or ""}) == 200
    assert demo.status("GET", "/auth/tokens", **{"X-Subject-Token": "gone"}) in (403, 404)


def test_a_revoked_token_is_void(admin: Caller, demo: Caller) -> None:
    assert demo.status("DELETE", "/auth/tokens", **{"X-Subject-Token": demo.token or ""}) == 204
    assert demo.status("GET", "/auth/projects") == 401
    assert admin.status("GET", "/auth/tokens", **{"X-Subject-Token": demo.token or ""}) == 404


def test_what_one_may_scope_to(admin: Caller, demo: Caller, nobody: Caller, credentials: Credentials) -> None:
    assert [one["name"] for one in demo.ok("GET", "/auth/projects")["projects"]] == ["demo"]
    assert demo.ok("GET", "/auth/domains")["domains"] == []
    assert demo.ok("GET", "/auth/system")["system"] == []
    assert admin.ok("GET", "/auth/system")["system"] == [{"all": True}]
    unscoped = nobody.log_in(account("demo", credentials.demo_password), "unscoped")
    assert [one["name"] for one in unscoped.ok("GET", "/auth/projects")["projects"]] == ["demo"]
    assert unscoped.status("GET", "/auth/catalog") == 403
