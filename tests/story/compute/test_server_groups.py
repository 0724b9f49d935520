"""Server groups through the API: their forms in each version, who may see them, who may join, and what they count."""

from __future__ import annotations

from typing import Any

import pytest

from tests.fakes.auth import ADMIN, MEMBER_A, MEMBER_B, PROJECT_A
from tests.fakes.images import TINY
from tests.story.compute.cloud import Cloud


def make(cloud: Cloud, policy: str = "anti-affinity", *, token: str = MEMBER_A, **more: Any) -> str:
    sent = {"server_group": {"name": "g", "policy": policy, **more}}
    return str(
        cloud.call("POST", "/os-server-groups", sent, token=token, version="2.64", status=200)["server_group"]["id"]
    )


def boot(cloud: Cloud, group_id: str, count: int = 1, token: str = MEMBER_A) -> Any:
    sent = {"name": "s", "flavorRef": "1", "imageRef": TINY, "networks": "none", "min_count": count}
    body = {"server": sent, "os:scheduler_hints": {"group": group_id}}
    return cloud.call("POST", "/servers", body, token=token, version="2.71")


def limit(cloud: Cloud, **limits: int) -> None:
    cloud.call("PUT", f"/os-quota-sets/{PROJECT_A}", {"quota_set": limits}, token=ADMIN, status=200)


@pytest.mark.parametrize(
    ("version", "sent", "status"),
    [
        ("2.1", {"policies": ["affinity"]}, 200),
        ("2.14", {"policies": ["soft-affinity"]}, 400),
        ("2.15", {"policies": ["soft-anti-affinity"]}, 200),
        ("2.63", {"policies": ["affinity", "anti-affinity"]}, 400),
        ("2.63", {"policy": "affinity"}, 400),
        ("2.64", {"policies": ["affinity"]}, 400),
        ("2.64", {"policy": "soft-affinity", "rules": {}}, 200),
        ("2.64", {"policy": "affinity", "rules": {"max_server_per_host": 2}}, 400),
        ("2.64", {"policy": "anti-affinity", "rules": {"max_server_per_host": "2"}}, 200),
        ("2.64", {"policy": "anti-affinity", "rules": {"max_server_per_host": 0}}, 400),
    ],
)
def test_a_group_is_made_as_its_version_has_it(cloud: Cloud, version: str, sent: dict[str, Any], status: int) -> None:
    body = {"server_group": {"name": "g", **sent}}
    cloud.call("POST", "/os-server-groups", body, version=version, status=status)


def test_servers_join_when_they_are_booted_and_leave_when_they_are_gone(cloud: Cloud) -> None:
    group_id = make(cloud)
    server_id = boot(cloud, group_id).json()["server"]["id"]
    cloud.run(server_id)
    path = f"/os-server-groups/{group_id}"
    assert cloud.call("GET", path, version="2.64", status=200)["server_group"]["members"] == [server_id]
    shown = cloud.call("GET", f"/servers/{server_id}", version="2.71", status=200)["server"]
    assert shown["server_groups"] == [group_id]
    cloud.call("DELETE", f"/servers/{server_id}", status=204)
    cloud.forget(server_id)
    assert cloud.call("GET", path, version="2.64", status=200)["server_group"]["members"] == []


def test_a_group_is_its_projects(cloud: Cloud) -> None:
    group_id = make(cloud)
    assert cloud.call("GET", f"/os-server-groups/{group_id}", token=MEMBER_B).status_code == 404
    assert cloud.call("DELETE", f"/os-server-groups/{group_id}", token=MEMBER_B).status_code == 404
    refused = boot(cloud, group_id, token=MEMBER_B)
    assert (refused.status_code, "could not be found" in refused.text) == (400, True)
    assert cloud.call("GET", "/servers", token=MEMBER_B, status=200)["servers"] == []

    def listed(token: str, query: str = "") -> list[str]:
        found = cloud.call("GET", f"/os-server-groups{query}", token=token, status=200)["server_groups"]
        return [one["id"] for one in found]

    assert (listed(MEMBER_B, "?all_projects=1"), listed(ADMIN), listed(ADMIN, "?all_projects=1")) == (
        [],
        [],
        [group_id],
    )
    second = make(cloud)
    assert (listed(MEMBER_A, "?limit=1"), listed(MEMBER_A, "?offset=1")) == ([group_id], [second])


def test_groups_and_members_have_their_limits(cloud: Cloud) -> None:
    limit(cloud, server_groups=1, server_group_members=2)
    group_id = make(cloud)
    over = cloud.call(
        "POST", "/os-server-groups", {"server_group": {"name": "g", "policy": "affinity"}}, version="2.64"
    )
    assert (over.status_code, "Quota exceeded" in over.text) == (403, True)
    assert boot(cloud, group_id, 3).status_code == 403
    assert boot(cloud, group_id, 2).status_code == 202
    assert boot(cloud, group_id).status_code == 403
    assert cloud.call("GET", "/limits", status=200)["limits"]["absolute"]["totalServerGroupsUsed"] == 1
    cloud.call("DELETE", f"/os-server-groups/{group_id}", status=204)
    assert len(cloud.call("GET", "/servers", status=200)["servers"]) == 2
    make(cloud)
