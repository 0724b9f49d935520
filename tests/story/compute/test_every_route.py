"""What holds for every route of the service: who may use it, in which versions it is there, and that junk never breaks it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest

from kilonova.api.framework import Route
from tests import facts
from tests.apiclient import compile_all
from tests.fakes.auth import ADMIN, MEMBER_A, MEMBER_B, PROJECT_A, READER_A, STRANGER, UNSCOPED
from tests.story.compute.cloud import Cloud, sqlite_cloud
from tests.story.compute.shapes import is_served

FIRST, LAST = (2, 1), (2, 104)
SUCCESSES = range(200, 300)


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    """One cloud for all: nothing here is meant to change it."""
    with sqlite_cloud(tmp_path_factory.mktemp("cloud")) as made:
        made.boot()
        yield made


def _paths(method: str) -> list[Any]:
    rows = [
        row
        for row in facts.routes()
        if row["method"] == method and is_served(row["method"], row["path"], row["action"])
    ]
    return [pytest.param(row, id=" ".join(filter(None, (method, row["path"], row["action"])))) for row in rows]


def _served() -> list[Any]:
    return [one for method in ("GET", "POST", "PUT", "DELETE") for one in _paths(method)]


def _filled(path: str) -> str:
    ident = PROJECT_A if path.startswith("/os-quota-sets") else "11111111-2222-4333-8444-555555555555"
    return re.sub(r"{\w+}", ident, path)


def _version(text: str | None, default: tuple[int, int]) -> tuple[int, int]:
    return default if text is None else (int(text.split(".")[0]), int(text.split(".")[1]))


def _body(row: dict[str, Any]) -> Any:
    return {row["action"]: {}} if row["action"] else {}


def _inside(row: dict[str, Any]) -> str:
    return ".".join(map(str, _version(row["max_microversion"], LAST)))


def test_every_codec_of_every_version_compiles(cloud: Cloud) -> None:
    assert compile_all(cloud.service) > 100


@pytest.mark.parametrize("token", [None, STRANGER])
@pytest.mark.parametrize("row", _served())
def test_nobody_gets_in_without_a_token(cloud: Cloud, row: dict[str, Any], token: str | None) -> None:
    if row["path"] == "/":
        pytest.skip("version discovery is for everybody")
    response = cloud.call(row["method"], _filled(row["path"]), _body(row), token=token, version=_inside(row))
    assert response.status_code == 401
    assert response.json()["unauthorized"]["code"] == 401


@pytest.mark.parametrize("row", _served())
def test_a_route_is_there_in_its_versions_and_404_outside(cloud: Cloud, row: dict[str, Any]) -> None:
    first, last = _version(row["min_microversion"], FIRST), _version(row["max_microversion"], LAST)
    if (row["method"], row["path"]) == ("PUT", "/os-services/{id}"):
        first = (2, 53)  # before, the id was one of the four words that have rows of their own
    outside = [(first[0], first[1] - 1)] * (first > FIRST) + [(last[0], last[1] + 1)] * (last < LAST)
    for version in outside:
        response = cloud.call(
            row["method"], _filled(row["path"]), _body(row), token=ADMIN, version=".".join(map(str, version))
        )
        assert response.status_code == 404, version
        assert "resource could not be found" in response.json()["itemNotFound"]["message"]
    for version in {first, last}:
        response = cloud.call(
            row["method"], _filled(row["path"]), _body(row), token=ADMIN, version=".".join(map(str, version))
        )
        assert "resource could not be found" not in response.text, version
        assert response.status_code < 500 or response.status_code == 503


_ROLES = {READER_A: "reader", MEMBER_A: "member"}
_MAY = {"reader": {"any", "none", "reader", "owner_user"}, "member": {"any", "none", "reader", "member", "owner_user"}}


@pytest.mark.parametrize("token", [READER_A, MEMBER_A, UNSCOPED])
@pytest.mark.parametrize("row", _served())
def test_policy_keeps_a_role_out_of_what_is_above_it(cloud: Cloud, row: dict[str, Any], token: str) -> None:
    allowed = _MAY[_ROLES[token]] if token in _ROLES else {"any", "none", "owner_user"}
    response = cloud.call(row["method"], _filled(row["path"]), _body(row), token=token, version=_inside(row))
    if row["default_role"] in allowed:
        assert "Policy doesn't allow" not in response.text
    else:
        assert response.status_code == 403, response.text


JUNK: list[Any] = [
    None, True, 0, -1, 1e400, "", "x" * 5000, [], [[]], {}, {"a": {}}, {"server": None}, {"server": []}, {"server": {"name": 7}},
    {"flavor": {"name": "\ud800", "ram": 10**30, "vcpus": "x", "disk": -1}},
    {"keypair": {"name": {"a": 1}, "public_key": "\u0001"}},
    {"metadata": {"": ""}}, {"metadata": {"k": None}}, {"meta": {"a": "b", "c": "d"}}, {"tags": ["a,b", 7]}, {"tags": ["t"] * 60},
    {"quota_set": {"instances": 2**40}}, {"quota_set": {"cores": "many"}}, {"extra_specs": {"a/b": "c"}},
    {"extra_specs": {"k": []}},
    {"host": 1, "binary": None}, {"lock": {"locked_reason": ""}}, {"unlock": [], "lock": []},
    {"os-getConsoleOutput": {"length": "9" * 40}}, {"os-resetState": {"state": "gone"}}, {"addTenantAccess": {"tenant": {}}},
    {"server": {"name": "a", "flavorRef": "1", "imageRef": "x", "networks": [{"uuid": None}], "min_count": -5}},
    {"server": {"name": "a", "flavorRef": "1", "block_device_mapping_v2": [{"boot_index": "zero"}], "networks": "auto"}},
]  # fmt: skip
RAW = [
    b"",
    b"{",
    b"\xff\xfe",
    b'{"server": ' + b"[" * 3000,
    b"null",
    b'{"a":1}{"b":2}',
    b'{"server": {"name": "a\\u0000b"}}',
]


@pytest.mark.parametrize("row", [one for one in _served() if one.values[0]["method"] in ("POST", "PUT")])
def test_junk_bodies_are_refused_and_never_a_bug(cloud: Cloud, row: dict[str, Any]) -> None:
    bodies = [json.dumps(one).replace("Infinity", "1e400").encode() for one in JUNK] + RAW
    for version in {_version(row["min_microversion"], FIRST), _version(row["max_microversion"], LAST)}:
        headers = {"X-Auth-Token": ADMIN, "OpenStack-API-Version": "compute {}.{}".format(*version)}
        for body in bodies:
            response = cloud.client.request(
                row["method"], f"/compute/v2.1{_filled(row['path'])}", content=body,
                headers={**headers, "Content-Type": "application/json"},
            )  # fmt: skip
            assert response.status_code in range(200, 500), (body[:200], response.text)


QUERIES = (
    "limit=-1", "limit=x", "limit=99999999999999999999", "marker=%00", "marker=nowhere", "sort_key=nothing", "sort_dir=up",
    "name=(((", "name=" + "(a*)*" * 20, "name=%5Cq", "status=", "changes-since=yesterday", "all_tenants=perhaps",
    "power_state=99999999999999999999", "ip=%5B", "tags=" + "t" * 3000, "deleted=maybe", "launched_at=never",
    "locked=perhaps", "is_public=x", "minRam=x", "minDisk=1e9", "user_id=%F0%9F%92%A5", "unknown=1", "with_servers=x",
    "hypervisor_hostname_pattern=%25", "task_state=%27%3B--", "flavor=%22", "uuid=%5C",
)  # fmt: skip


@pytest.mark.parametrize("row", _paths("GET"))
def test_junk_queries_are_refused_or_ignored_and_never_a_bug(cloud: Cloud, row: dict[str, Any]) -> None:
    for version in ("2.1", "2.60", "2.75", "2.83", "2.104"):
        for query in QUERIES:
            response = cloud.call("GET", f"{_filled(row['path'])}?{query}", token=ADMIN, version=version)
            assert response.status_code in range(200, 500) or response.status_code == 503, (query, response.text)


@pytest.mark.parametrize(
    "row",
    [row for row in facts.routes() if row["lifecycle"] == "gone_410"],
    ids=lambda row: f"{row['method']} {row['path']} {row['action']}",
)
def test_what_left_the_api_is_gone_in_every_version(cloud: Cloud, row: dict[str, Any]) -> None:
    for version in ("2.1", "2.104"):
        response = cloud.call(
            row["method"], _filled(row["path"]), {row["action"] or "x": {}}, token=MEMBER_A, version=version
        )
        assert response.status_code == 410, response.text


def test_a_strangers_server_does_not_exist(cloud: Cloud) -> None:
    server_id = cloud.call("GET", "/servers", status=200)["servers"][0]["id"]
    ways: list[tuple[str, str, Any]] = [
        ("GET", "", None), ("PUT", "", {"server": {"name": "mine"}}), ("DELETE", "", None), ("GET", "/metadata", None),
        ("POST", "/metadata", {"metadata": {"a": "b"}}), ("GET", "/tags", None), ("PUT", "/tags/x", None), ("GET", "/ips", None),
        ("GET", "/os-instance-actions", None), ("GET", "/os-security-groups", None), ("POST", "/action", {"lock": None}),
        ("POST", "/action", {"os-getConsoleOutput": {}}),
    ]  # fmt: skip
    for method, path, body in ways:
        response = cloud.call(method, f"/servers/{server_id}{path}", body, token=MEMBER_B, version="2.104")
        assert response.status_code == 404, (method, path, response.text)
    assert cloud.call("GET", "/servers", token=MEMBER_B, status=200)["servers"] == []


def test_every_documented_route_of_a_served_resource_is_in_the_table(cloud: Cloud) -> None:
    def plain(path: str) -> str:
        return re.sub(r"{\w+}", "{}", path)

    ours = {(route.method, plain(route.path), route.action) for route in cloud.service.routes}
    wanted = {one.values[0]["method"] + " " + one.values[0]["path"]: one.values[0] for one in _served()}
    missing = [name for name, row in wanted.items() if (row["method"], plain(row["path"]), row["action"]) not in ours]
    assert missing == []


def test_every_policy_of_the_table_is_openstacks(cloud: Cloud) -> None:
    known = {row["policy"] for row in facts.policies()}
    used = {route.policy for route in cloud.service.routes if isinstance(route, Route) and route.policy}
    assert used <= known
