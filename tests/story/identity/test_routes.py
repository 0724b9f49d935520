"""What holds for every route, taken from the table; and the documented samples, field by field."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from kilonova.api.framework import Policy, Route
from kilonova.api.identity import POLICIES, identity_service
from kilonova.domain.clock import Ids, SystemClock
from kilonova.identity.service import build_identity
from kilonova.store.database import Database
from tests import facts
from tests.fakes.identity import Caller

# Routes are data: this database is never opened.
TABLE = identity_service(build_identity(Database("sqlite://"), SystemClock(), Ids())).routes
GUARDED = [route for route in TABLE if route.auth]
WITH_BODY = [route for route in TABLE if route.params is not None]

JUNK = [
    b"", b"{", b"[]", b"null", b"5", b'"x"', b"{}", b'{"\\u0000": 1}', b"\xff\xfe", b"[" * 100_000,
    b'{"KEY": null}', b'{"KEY": []}', b'{"KEY": {"name": {}, "id": [], "enabled": {}, "url": 5, "type": null}}',
    b'{"KEY": {"name": 1e999}}', b'{"KEY": {"description": "\\ud800"}}',
    b'{"KEY": {"identity": {"methods": ["password"], "password": {"user": {"id": "\\u0000", "password": "x"}}}}}',
]  # fmt: skip


def filled(route: Route, value: str = "none") -> str:
    return re.sub(r"{\w+}", value, route.path)


def label(route: Route) -> str:
    return route.label


@pytest.mark.parametrize("route", GUARDED, ids=label)
def test_without_a_token_there_is_nothing(nobody: Caller, route: Route) -> None:
    answer = nobody.send(route.method, filled(route))
    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"].startswith("Keystone uri=")


@pytest.mark.parametrize("route", GUARDED, ids=label)
def test_a_member_changes_nothing_and_sees_only_their_own(demo: Caller, route: Route) -> None:
    own = {"/auth/projects", "/auth/domains", "/auth/system", "/auth/catalog", "/roles", "/regions", "/role_inferences"}
    status = demo.status(route.method, filled(route), {"auth": {}} if route.params else None)
    allowed = (200,) if route.path in own and route.method == "GET" else (400, 403, 404)
    assert status in allowed


@pytest.mark.parametrize("route", WITH_BODY, ids=label)
def test_junk_is_refused_and_never_our_fault(admin: Caller, route: Route) -> None:
    for junk in JUNK:
        body = junk.replace(b"KEY", (route.params_key or "x").encode())
        headers = {"X-Auth-Token": admin.token or "", "Content-Type": "application/json"}
        answer = admin.http.request(route.method, f"/identity/v3{filled(route)}", content=body, headers=headers)
        if (answer.status_code, route.path) != (201, "/regions"):  # a region needs nothing to be made
            assert 400 <= answer.status_code < 500, (junk[:80], answer.status_code, answer.text)
            assert answer.json()["error"]["code"] == answer.status_code


@pytest.mark.parametrize("route", GUARDED, ids=label)
@pytest.mark.parametrize("value", ["%20", "x" * 3000, "%E2%98%83", "%ff", "..%2f..", "'--"])
def test_absurd_ids_are_missing(admin: Caller, route: Route, value: str) -> None:
    status = admin.status(route.method, filled(route, value), {} if route.params else None)
    assert status in ((200, 400) if "{" not in route.path else (400, 403, 404, 414))


def test_every_rule_is_declared_and_used() -> None:
    used = {route.policy for route in TABLE if route.policy}
    declared = {rule.name for rule in POLICIES}
    assert used == declared
    assert used <= Policy(POLICIES).names


# --- the documented samples ---------------------------------------------------------------------------------------------

# What the reference shows and we leave out, each for a reason.
LEFT_OUT = {
    "access_rules": "credentials are narrowed by roles alone",
    "extra": "a sample's own attribute",
    "blah": "a sample's own attribute",
    "membership": "effective assignments do not name the group they come by",
    "OS-INHERIT:inherited_to": "roles are not inherited by child projects",
    "membership_expires_at": "memberships do not expire",
    "federated": "a list that is empty without federation",
}
OUTDATED = {"admin/identity-versions-response.json": "it lists v2.0 too"}


def serves(route: str) -> bool:
    method, _, path = route.partition(" ")
    shape = re.sub(r"{\w+}", "{}", path.removeprefix("/v3"))
    return any(one.method == method and re.sub(r"{\w+}", "{}", one.path) == shape for one in TABLE)


SAMPLES = [
    one["file"]
    for one in facts.sample_index("identity")
    if one["file"] not in OUTDATED
    and one["valid_json"]
    and one["kind"] == "resp"
    and one["route"]
    and serves(one["route"])
]


def keys_of(document: Any) -> set[str]:
    """The paths of all fields; a list has those of all its items."""
    if isinstance(document, list):
        return {path for one in document for path in keys_of(one)}
    if not isinstance(document, dict):
        return set()
    return {
        path
        for name, value in document.items()
        if name not in LEFT_OUT
        for path in (name, *(f"{name}.{below}" for below in keys_of(value)))
    }


class World:
    """One of each thing, so that every documented route has something to show."""

    def __init__(self, admin: Caller) -> None:
        me = admin.ok("GET", "/auth/tokens", **{"X-Subject-Token": admin.token or ""})["token"]
        self.admin = admin
        self.ids = {"user_id": me["user"]["id"], "project_id": me["project"]["id"], "domain_id": "default"}
        middle = admin.make("project", name="middle", parent_id=self.ids["project_id"])["id"]
        admin.make("project", name="below", parent_id=middle)
        self.ids["project_id"] = middle
        self.ids["group_id"] = admin.make("group", name="g", description="x")["id"]
        self.ids["role_id"] = self.ids["implies_role_id"] = admin.role_id("manager")
        self.ids["prior_role_id"] = admin.role_id("admin")
        self.ids["region_id"] = "RegionOne"
        self.ids["service_id"] = admin.ok("GET", "/services")["services"][0]["id"]
        self.ids["endpoint_id"] = admin.ok("GET", "/endpoints")["endpoints"][0]["id"]
        credential = {"application_credential": {"name": "robot", "description": "x"}}
        path = f"/users/{self.ids['user_id']}/application_credentials"
        self.ids["application_credential_id"] = admin.ok("POST", path, credential)["application_credential"]["id"]
        for actor in ("user", "group"):
            for where in (f"/projects/{self.ids['project_id']}", "/domains/default", "/system"):
                admin.status("PUT", f"{where}/{actor}s/{self.ids[f'{actor}_id']}/roles/{self.ids['role_id']}")
        admin.status("PUT", f"/groups/{self.ids['group_id']}/users/{self.ids['user_id']}")
        admin.status("PATCH", f"/users/{self.ids['user_id']}", {"user": {"email": "a@b", "description": "x"}})

    def get(self, route: str) -> Any:
        """The document of a documented GET."""
        path = re.sub(r"{(\w+)}", lambda found: self.ids[found[1]], route)
        if path.endswith(self.ids["project_id"]):
            path += "?parents_as_list&subtree_as_list"
        return self.admin.ok("GET", path.removeprefix("GET /v3"), **{"X-Subject-Token": self.admin.token or ""})


ROUTE_OF = {one["file"]: one["route"] for one in facts.sample_index("identity")}


@pytest.mark.parametrize("file", [file for file in SAMPLES if ROUTE_OF[file].startswith("GET ")])
def test_documented_fields_are_there(admin: Caller, file: str) -> None:
    answer = World(admin).get(ROUTE_OF[file])
    missing = keys_of(facts.sample("identity", file)) - keys_of(answer)
    assert missing == set(), json.dumps(answer)[:500]


def test_the_samples_cover_much_of_what_is_served() -> None:
    assert len(SAMPLES) > 40
