"""Application credentials: shown once, narrowed, restricted, and gone with what they stand on."""

from __future__ import annotations

from typing import Any

import pytest

from tests.fakes.identity import Caller
from tests.story.identity.test_people import user_id


@pytest.fixture
def path(demo: Caller) -> str:
    return f"/users/{user_id(demo)}/application_credentials"


def make(caller: Caller, path: str, **fields: Any) -> Any:
    return caller.ok("POST", path, {"application_credential": {"name": "robot", **fields}})["application_credential"]


def by_credential(**given: Any) -> dict[str, Any]:
    return {"auth": {"identity": {"methods": ["application_credential"], "application_credential": given}}}


def enter(nobody: Caller, made: Any) -> Caller:
    answer = nobody.send("POST", "/auth/tokens", by_credential(id=made["id"], secret=made["secret"]))
    assert answer.status_code == 201, answer.text
    return Caller(nobody.http, answer.headers["X-Subject-Token"])


def test_its_life(demo: Caller, nobody: Caller, path: str) -> None:
    made = make(demo, path, roles=[{"name": "reader"}], expires_at="2026-12-31T00:00:00")
    assert made["expires_at"] == "2026-12-31T00:00:00.000000"
    shown = demo.ok("GET", f"{path}/{made['id']}")["application_credential"]
    assert "secret" not in shown
    assert shown == {name: value for name, value in made.items() if name != "secret"}
    assert demo.ok("GET", f"{path}?name=robot")["application_credentials"] == [shown]
    assert demo.ok("GET", f"{path}?name=other")["application_credentials"] == []
    robot = enter(nobody, made)
    token = robot.ok("GET", "/auth/tokens", **{"X-Subject-Token": robot.token or ""})["token"]
    assert token["application_credential"] == {"id": made["id"], "name": "robot", "restricted": True}
    assert [role["name"] for role in token["roles"]] == ["reader"]
    assert token["methods"] == ["application_credential"]
    assert demo.status("DELETE", f"{path}/{made['id']}") == 204
    assert robot.status("GET", "/auth/projects") == 401
    assert nobody.status("POST", "/auth/tokens", by_credential(id=made["id"], secret=made["secret"])) == 401


def test_by_name_and_user(demo: Caller, nobody: Caller, path: str) -> None:
    make(demo, path, secret="chosen")
    user = {"name": "demo", "domain": {"id": "default"}}
    assert nobody.status("POST", "/auth/tokens", by_credential(name="robot", user=user, secret="chosen")) == 201
    assert nobody.status("POST", "/auth/tokens", by_credential(name="robot", user=user, secret="other")) == 401
    assert nobody.status("POST", "/auth/tokens", by_credential(name="robot", user={"id": "none"}, secret="x")) == 401


def test_a_restricted_one_makes_no_others(demo: Caller, nobody: Caller, path: str) -> None:
    made = make(demo, path)
    robot = enter(nobody, made)
    body = {"application_credential": {"name": "offspring"}}
    assert robot.status("POST", path, body) == 403
    assert robot.status("DELETE", f"{path}/{made['id']}") == 403
    free = enter(nobody, make(demo, path, name="free", unrestricted=True))
    assert free.status("POST", path, body) == 201


@pytest.mark.parametrize(
    "fields",
    [
        {"roles": [{"name": "admin"}]},
        {"roles": [{"id": "none"}]},
        {"roles": [{}]},
        {"expires_at": "2020-01-01T00:00:00"},
        {"expires_at": "soon"},
        {"access_rules": [{"service": "compute", "method": "GET", "path": "/v2.1/servers"}]},
        {"name": ""},
    ],
)
def test_what_cannot_be_asked_for(demo: Caller, path: str, fields: dict[str, Any]) -> None:
    assert demo.status("POST", path, {"application_credential": {"name": "robot", **fields}}) == 400


def test_they_are_their_user_s_business(admin: Caller, demo: Caller, path: str) -> None:
    made = make(demo, path)
    others = f"/users/{user_id(admin)}/application_credentials"
    assert demo.status("GET", others) == 404
    assert demo.status("GET", f"{others}/{made['id']}") == 404
    assert demo.status("POST", others, {"application_credential": {"name": "x"}}) == 403
    assert admin.status("POST", path, {"application_credential": {"name": "x"}}) == 403
    assert admin.status("GET", f"{others}/{made['id']}") == 404
    assert admin.status("DELETE", f"{others}/{made['id']}") == 404
    assert admin.status("GET", f"{path}/{made['id']}") == 200
    assert demo.status("POST", path, {"application_credential": {"name": "robot"}}) == 409
