"""Domains, projects, users and groups, from making to deleting, and whose business they are."""

from __future__ import annotations

from typing import Any

import pytest

from tests.fakes.identity import Caller, account, project
from tests.world.clock import ManualClock


def user_id(caller: Caller) -> str:
    return str(caller.ok("GET", "/auth/tokens", **{"X-Subject-Token": caller.token or ""})["token"]["user"]["id"])


def project_id(caller: Caller) -> str:
    return str(caller.ok("GET", "/auth/tokens", **{"X-Subject-Token": caller.token or ""})["token"]["project"]["id"])


def test_a_project_s_life(admin: Caller) -> None:
    made = admin.make("project", name="p1", description="first", tags=["a"], color="red")
    path = f"/projects/{made['id']}"
    assert made["domain_id"] == made["parent_id"] == "default"
    assert (made["color"], made["tags"], made["enabled"], made["is_domain"]) == ("red", ["a"], True, False)
    assert made["links"]["self"] == f"http://testserver/identity/v3{path}"
    assert admin.ok("GET", path)["project"] == made
    changed = admin.ok("PATCH", path, {"project": {"name": "p2", "color": None, "size": 5}})["project"]
    assert (changed["name"], changed["size"], changed["description"]) == ("p2", 5, "first")
    assert "color" not in changed
    assert admin.status("PATCH", path, {"project": {"domain_id": "elsewhere"}}) == 400
    assert admin.status("PATCH", path, {"project": {"domain_id": "default"}}) == 200
    assert admin.status("POST", "/projects", {"project": {"name": "p2"}}) == 409
    child = admin.make("project", name="child", parent_id=made["id"])
    assert admin.status("DELETE", path) == 403
    assert admin.status("DELETE", f"/projects/{child['id']}") == 204
    assert admin.status("DELETE", path) == 204
    assert admin.status("GET", path) == 404
    assert admin.status("DELETE", path) == 404


def test_the_tree_around_a_project(admin: Caller, demo: Caller) -> None:
    top = admin.make("project", name="top")["id"]
    middle = admin.make("project", name="middle", parent_id=top, color="red")["id"]
    leaf = admin.make("project", name="leaf", parent_id=middle)["id"]
    show = "parents_as_ids&subtree_as_ids"
    shown = admin.ok("GET", f"/projects/{middle}?{show}")["project"]
    assert (shown["parents"], shown["subtree"]) == ({top: None}, {leaf: None})
    assert admin.ok("GET", f"/projects/{leaf}?{show}")["project"]["parents"] == {middle: {top: None}}
    assert admin.ok("GET", f"/projects/{top}?{show}")["project"]["subtree"] == {middle: {leaf: None}}
    listed = admin.ok("GET", f"/projects/{leaf}?parents_as_list")["project"]["parents"]
    assert [one["project"]["name"] for one in listed] == ["middle", "top"]
    assert listed[0]["project"]["color"] == "red"
    mine = project_id(demo)
    admin.make("project", name="hidden", parent_id=mine)
    assert demo.ok("GET", f"/projects/{mine}?subtree_as_list")["project"]["subtree"] == []
    deep = leaf
    for i in range(2):
        deep = admin.make("project", name=f"deep{i}", parent_id=deep)["id"]
    assert admin.status("POST", "/projects", {"project": {"name": "too deep", "parent_id": deep}}) == 400


def test_a_project_s_tags(admin: Caller) -> None:
    path = f"/projects/{admin.make('project', name='p')['id']}/tags"
    assert admin.ok("PUT", path, {"tags": ["a", "b", "a"]})["tags"] == ["a", "b"]
    assert admin.status("PUT", f"{path}/c%20d") == 201
    assert admin.ok("GET", path) == {"tags": ["a", "b", "c d"]}
    assert admin.status("GET", f"{path}/a") == 204
    assert admin.status("DELETE", f"{path}/a") == 204
    assert admin.status("DELETE", f"{path}/a") == 404
    assert admin.status("GET", f"{path}/a") == 404
    assert admin.status("PUT", f"{path}/x,y") == 400
    assert admin.status("PUT", path, {"tags": ["x/y"]}) == 400
    assert [one["name"] for one in admin.ok("GET", "/projects?tags=b")["projects"]] == ["p"]
    assert admin.status("DELETE", path) == 204
    assert admin.ok("GET", path) == {"tags": []}


def test_lists_page_with_links(admin: Caller) -> None:
    for i in range(5):
        admin.make("project", name=f"p{i}")
    seen, url = [], "/projects?name__startswith=p&limit=2"
    while url:
        page = admin.ok("GET", url)
        seen += [one["name"] for one in page["projects"]]
        assert page["links"]["previous"] is None
        url = (page["links"]["next"] or "").removeprefix("http://testserver/identity/v3")
    assert seen == [f"p{i}" for i in range(5)]
    assert admin.status("GET", "/projects?marker=none") == 400
    assert admin.status("GET", "/projects?limit=-1") == 400


def test_a_user_s_life(admin: Caller, nobody: Caller, clock: ManualClock) -> None:
    made = admin.make("user", name="ann", password="first", email="a@b", default_project_id=None, team="x")
    path = f"/users/{made['id']}"
    assert "password" not in str(made).replace("password_expires_at", "")
    assert (made["email"], made["team"], made["domain_id"]) == ("a@b", "x", "default")
    ann = nobody.log_in(account("ann", "first"))
    assert ann.ok("GET", path)["user"] == made
    clock.advance(1)
    assert admin.ok("PATCH", path, {"user": {"password": "second", "name": "anna"}})["user"]["name"] == "anna"
    assert ann.status("GET", path) == 401
    ann = nobody.log_in(account("anna", "second"))
    clock.advance(1)
    assert admin.ok("PATCH", path, {"user": {"enabled": False}})["user"]["enabled"] is False
    assert ann.status("GET", path) == 401
    assert admin.status("DELETE", path) == 204
    assert admin.status("GET", path) == 404


def test_changing_one_s_own_password(admin: Caller, nobody: Caller, clock: ManualClock) -> None:
    made = admin.make("user", name="ann", password="first")
    path = f"/users/{made['id']}/password"
    ann = nobody.log_in(account("ann", "first"))
    change = {"user": {"original_password": "first", "password": "second"}}
    assert admin.status("POST", path, change) == 403
    assert ann.status("POST", path, {"user": {**change["user"], "original_password": "no"}}) == 401
    assert ann.status("POST", path, {"user": {"original_password": "first", "password": "first"}}) == 400
    clock.advance(1)
    assert ann.status("POST", path, change) == 204
    assert ann.status("GET", f"/users/{made['id']}") == 401
    nobody.log_in(account("ann", "second"))


def test_a_domain_s_life(admin: Caller) -> None:
    made = admin.make("domain", name="d2")
    path = f"/domains/{made['id']}"
    user = admin.make("user", name="admin", domain_id=made["id"])
    inside = admin.make("project", name="admin", domain_id=made["id"])
    assert admin.status("DELETE", path) == 403
    assert admin.ok("PATCH", path, {"domain": {"enabled": False, "description": None}})["domain"]["description"] == ""
    assert admin.status("DELETE", path) == 204
    assert admin.status("GET", f"/users/{user['id']}") == 404
    assert admin.status("GET", f"/projects/{inside['id']}") == 404
    assert admin.status("DELETE", "/domains/default") == 403


def test_groups_give_their_members_roles(admin: Caller, nobody: Caller) -> None:
    ann = admin.make("user", name="ann", password="pw")
    group = admin.make("group", name="crew")
    team = admin.make("project", name="team")
    member = f"/groups/{group['id']}/users/{ann['id']}"
    assert admin.status("HEAD", member) == 404
    assert admin.status("PUT", member) == 204
    assert admin.status("HEAD", member) == 204
    assert admin.status("PUT", f"/projects/{team['id']}/groups/{group['id']}/roles/{admin.role_id('member')}") == 204
    caller = nobody.log_in(account("ann", "pw"), project("team"))
    assert [one["name"] for one in caller.ok("GET", f"/users/{ann['id']}/projects")["projects"]] == ["team"]
    assert [one["name"] for one in caller.ok("GET", f"/users/{ann['id']}/groups")["groups"]] == ["crew"]
    assert [one["name"] for one in admin.ok("GET", f"/groups/{group['id']}/users")["users"]] == ["ann"]
    assert admin.status("DELETE", member) == 204
    assert admin.status("DELETE", member) == 404
    assert caller.status("GET", "/auth/projects") == 401
    assert admin.status("DELETE", f"/groups/{group['id']}") == 204


def test_others_are_missing_and_lists_are_denied(admin: Caller, demo: Caller) -> None:
    for path in (f"/users/{user_id(admin)}", f"/projects/{project_id(admin)}"):
        answer = demo.send("GET", path)
        unknown = demo.send("GET", f"{path[:-4]}none")
        assert answer.status_code == unknown.status_code == 404
        assert answer.json()["error"]["title"] == unknown.json()["error"]["title"] == "Not Found"
    assert demo.status("GET", f"/users/{user_id(demo)}") == 200
    assert demo.status("GET", f"/projects/{project_id(demo)}") == 200
    assert demo.status("GET", f"/users/{user_id(admin)}/projects") == 404
    assert demo.status("GET", "/domains/default") == 200
    for path in ("/users", "/projects", "/domains", "/groups", "/services", "/endpoints", "/role_assignments"):
        assert demo.status("GET", path) == 403


BAD: list[tuple[str, Any]] = [
    ("/projects", {"project": {}}),
    ("/projects", {"project": {"name": ""}}),
    ("/projects", {"project": {"name": "x" * 256}}),
    ("/projects", {"project": {"name": "x", "domain_id": "none"}}),
    ("/projects", {"project": {"name": "x", "parent_id": "none"}}),
    ("/projects", {"project": {"name": "x", "is_domain": True}}),
    ("/projects", {"project": {"name": "x", "enabled": "maybe"}}),
    ("/projects", {"project": {"name": "x", "tags": [f"t{i}" for i in range(100)]}}),
    ("/projects", {"project": {"name": "x", "big": "x" * 20000}}),
    ("/users", {"user": {"name": "x", "domain_id": "none"}}),
    ("/users", {"user": {"name": "x", "default_project_id": "none"}}),
    ("/users", {"user": {"name": "x", "password": ""}}),
    ("/groups", {"group": {"name": "x", "domain_id": "none"}}),
    ("/roles", {"role": {"name": "x", "domain_id": "default"}}),
    ("/endpoints", {"endpoint": {"service_id": "none", "interface": "public", "url": "http://x"}}),
    ("/endpoints", {"endpoint": {"service_id": "none", "interface": "odd", "url": "http://x"}}),
    ("/regions", {"region": {"id": "x", "parent_region_id": "none"}}),
]


@pytest.mark.parametrize(("path", "body"), BAD)
def test_bad_fields_are_named(admin: Caller, path: str, body: Any) -> None:
    answer = admin.send("POST", path, body)
    assert answer.status_code == 400, answer.text
