"""Roles, what they imply, and giving them."""

from __future__ import annotations

import pytest

from tests.fakes.identity import Caller


@pytest.fixture
def ann(admin: Caller) -> str:
    return str(admin.make("user", name="ann")["id"])


@pytest.fixture
def crew(admin: Caller) -> str:
    return str(admin.make("group", name="crew")["id"])


def test_built_in_roles_stay(admin: Caller) -> None:
    member = admin.role_id("member")
    assert admin.ok("GET", f"/roles/{member}")["role"]["options"] == {"immutable": True}
    assert admin.status("PATCH", f"/roles/{member}", {"role": {"name": "x"}}) == 403
    assert admin.status("DELETE", f"/roles/{member}") == 403
    made = admin.make("role", name="auditor", description="looks")
    assert admin.ok("PATCH", f"/roles/{made['id']}", {"role": {"name": "viewer"}})["role"]["description"] == "looks"
    assert admin.status("DELETE", f"/roles/{made['id']}") == 204


def test_what_roles_imply_can_be_read(demo: Caller) -> None:
    rules = demo.ok("GET", "/role_inferences")["role_inferences"]
    names = {one["prior_role"]["name"]: [role["name"] for role in one["implies"]] for one in rules}
    assert names == {"admin": ["manager"], "manager": ["member"], "member": ["reader"]}
    admin, manager, reader = (demo.role_id(name) for name in ("admin", "manager", "reader"))
    assert demo.ok("GET", f"/roles/{admin}/implies")["role_inference"]["implies"][0]["id"] == manager
    assert demo.ok("GET", f"/roles/{reader}/implies")["role_inference"]["implies"] == []
    assert demo.ok("GET", f"/roles/{admin}/implies/{manager}")["role_inference"]["implies"]["name"] == "manager"
    assert demo.status("HEAD", f"/roles/{admin}/implies/{reader}") == 404


@pytest.mark.parametrize("actor", ["users", "groups"])
@pytest.mark.parametrize("scope", ["projects", "domains", "system"])
def test_an_assignment_s_life(admin: Caller, ann: str, crew: str, scope: str, actor: str) -> None:
    where = {
        "projects": lambda: f"/projects/{admin.make('project', name='p')['id']}",
        "domains": lambda: "/domains/default",
        "system": lambda: "/system",
    }[scope]()
    roles = f"{where}/{actor}/{ann if actor == 'users' else crew}/roles"
    member = admin.role_id("member")
    assert admin.ok("GET", roles)["roles"] == []
    assert admin.status("HEAD", f"{roles}/{member}") == 404
    assert admin.status("PUT", f"{roles}/{member}") == 204
    assert admin.status("PUT", f"{roles}/{member}") == 204
    assert admin.status("HEAD", f"{roles}/{member}") == 204
    assert [one["name"] for one in admin.ok("GET", roles)["roles"]] == ["member"]
    assert admin.status("DELETE", f"{roles}/{member}") == 204
    assert admin.status("DELETE", f"{roles}/{member}") == 404


def test_an_assignment_needs_all_its_parts(admin: Caller, ann: str) -> None:
    member = admin.role_id("member")
    assert admin.status("PUT", f"/projects/none/users/{ann}/roles/{member}") == 404
    assert admin.status("PUT", f"/domains/default/users/none/roles/{member}") == 404
    assert admin.status("PUT", f"/domains/default/users/{ann}/roles/none") == 404
    assert admin.status("GET", "/domains/default/users/none/roles") == 404


def test_assignments_with_names_and_as_they_work_out(admin: Caller, ann: str, crew: str) -> None:
    project = admin.make("project", name="team")["id"]
    member = admin.role_id("member")
    admin.send("PUT", f"/groups/{crew}/users/{ann}")
    admin.send("PUT", f"/projects/{project}/groups/{crew}/roles/{member}")
    (made,) = admin.ok("GET", f"/role_assignments?group.id={crew}&include_names")["role_assignments"]
    domain = {"id": "default", "name": "Default"}
    assert made["group"] == {"id": crew, "name": "crew", "domain": domain}
    assert made["scope"] == {"project": {"id": project, "name": "team", "domain": domain}}
    assert made["role"] == {"id": member, "name": "member"}
    assert made["links"]["assignment"].endswith(f"/projects/{project}/groups/{crew}/roles/{member}")
    assert admin.ok("GET", f"/role_assignments?user.id={ann}")["role_assignments"] == []
    found = admin.ok("GET", f"/role_assignments?user.id={ann}&effective=True")["role_assignments"]
    assert {one["role"]["id"] for one in found} == {member, admin.role_id("reader")}
    assert all(one["user"] == {"id": ann} and "group" not in one for one in found)
    assert admin.ok("GET", "/role_assignments?scope.system=all")["role_assignments"][0]["scope"] == {
        "system": {"all": True}
    }
    assert admin.status("GET", f"/role_assignments?effective&group.id={crew}") == 400
    assert admin.status("GET", f"/role_assignments?scope.system=all&scope.project.id={project}") == 400
