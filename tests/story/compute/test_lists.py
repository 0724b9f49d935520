"""Lists: pages, filters by role and version, sorting."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.fakes.auth import ADMIN, MEMBER_A, PROJECT_A, READER_A
from tests.story.compute.cloud import HOST, Cloud

V = "2.104"


def names(cloud: Cloud, query: str, version: str = V, token: str = MEMBER_A) -> list[str]:
    return [
        one["name"]
        for one in cloud.call("GET", f"/servers?{query}", version=version, token=token, status=200)["servers"]
    ]


def test_pages_follow_their_links_to_the_end(cloud: Cloud) -> None:
    for name in ("a", "b", "c"):
        cloud.boot(name, active=False)
    seen, path = [], "/servers/detail?limit=2&sort_key=display_name&sort_dir=asc"
    while path:
        page = cloud.call("GET", path, version=V, status=200)
        seen.append([one["name"] for one in page["servers"]])
        link = urlsplit(page["servers_links"][0]["href"]) if "servers_links" in page else None
        path = f"{link.path.removeprefix('/compute/v2.1')}?{link.query}" if link else ""
    assert seen == [["a", "b"], ["c"]]


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("name=web", ["my-web", "web-1"]), ("name=^web", ["web-1"]), ("status=BUILD", ["db"]),
        ("status=active", ["my-web", "web-1"]),
        ("status=ACTIVE&status=BUILD", ["db", "my-web", "web-1"]), ("flavor=2", ["db"]), ("flavor=none", []),
        ("ip=10.0.0.2$", ["web-1"]), ("image=70a599e0-31e7-49b7-b260-868f441e862b", ["db", "my-web", "web-1"]), ("image=x", []),
        ("changes-since=2020-01-01T00:00:00Z&changes-before=2020-01-02T00:00:00Z", []), ("vm_state=active", ["my-web", "web-1"]),
        ("task_state=scheduling", ["db"]), ("power_state=1", ["my-web", "web-1"]), ("config_drive=true", []),
    ],
)  # fmt: skip
def test_a_filter_finds_what_it_says(cloud: Cloud, query: str, found: list[str]) -> None:
    cloud.boot("web-1")
    cloud.boot("my-web")
    cloud.boot("db", active=False, flavorRef="2")
    assert sorted(names(cloud, query)) == found


def test_filters_that_are_not_ones_own_are_ignored(cloud: Cloud) -> None:
    cloud.boot("one")
    assert names(cloud, "host=elsewhere") == ["one"]
    assert names(cloud, "host=elsewhere&all_tenants=1", token=ADMIN) == []
    assert names(cloud, f"host={HOST}&all_tenants=1", token=ADMIN) == ["one"]
    assert names(cloud, "vm_state=error", version="2.82") == ["one"]
    assert names(cloud, "vm_state=error", version="2.83") == []
    assert names(cloud, "ip6=^fe80", version="2.4") == ["one"]
    assert names(cloud, "ip6=^fe80", version="2.5") == []
    assert names(cloud, "nonsense=1", version="2.74") == ["one"]
    cloud.call("GET", "/servers?nonsense=1", version="2.75", status=400)


def test_all_tenants_is_an_administrators_and_projects_are_told_apart(cloud: Cloud) -> None:
    cloud.boot("one")
    cloud.call("GET", "/servers?all_tenants=1", token=READER_A, status=403)
    assert names(cloud, "all_tenants=0") == ["one"]
    assert names(cloud, "", token=ADMIN) == []
    assert names(cloud, "all_tenants", token=ADMIN) == ["one"]
    assert names(cloud, f"all_tenants=1&project_id={PROJECT_A}", token=ADMIN) == ["one"]
    assert names(cloud, "all_tenants=1&tenant_id=x", token=ADMIN) == []


def test_what_a_status_that_is_none_means_changed(cloud: Cloud) -> None:
    cloud.boot("one")
    assert names(cloud, "status=WONDERFUL", version="2.37") == []
    said = cloud.call("GET", "/servers?status=WONDERFUL", version="2.38", status=400)
    assert said["badRequest"]["message"] == "Invalid status value"
    cloud.call("GET", "/servers?status=DELETED", version=V, status=403)
    assert names(cloud, "status=DELETED", token=ADMIN) == []


@pytest.mark.parametrize("query", ["sort_key=host", "sort_key=node&sort_dir=asc"])
def test_hosts_are_not_told_by_sorting(cloud: Cloud, query: str) -> None:
    cloud.call("GET", f"/servers?{query}", version=V, status=403)
    cloud.call("GET", f"/servers?{query}", version=V, token=ADMIN, status=200)


def test_an_administrator_sees_where_a_server_is_and_others_do_not(cloud: Cloud) -> None:
    ident = cloud.boot()
    mine: dict[str, Any] = cloud.call("GET", f"/servers/{ident}", version=V, status=200)["server"]
    theirs: dict[str, Any] = cloud.call("GET", f"/servers/{ident}", version=V, token=ADMIN, status=200)["server"]
    assert {key for key in theirs if key not in mine} == {
        "OS-EXT-SRV-ATTR:host", "OS-EXT-SRV-ATTR:hypervisor_hostname", "OS-EXT-SRV-ATTR:instance_name",
        "OS-EXT-SRV-ATTR:reservation_id", "OS-EXT-SRV-ATTR:launch_index", "OS-EXT-SRV-ATTR:kernel_id",
        "OS-EXT-SRV-ATTR:ramdisk_id", "OS-EXT-SRV-ATTR:root_device_name", "OS-EXT-SRV-ATTR:user_data", "host_status",
    }  # fmt: skip
    assert (theirs["host_status"], theirs["OS-EXT-SRV-ATTR:host"]) == ("UP", HOST)


def test_flavors_page_sort_and_filter(cloud: Cloud) -> None:
    def flavors(query: str, token: str = MEMBER_A) -> list[str]:
        return [
            one["id"] for one in cloud.call("GET", f"/flavors?{query}", token=token, version=V, status=200)["flavors"]
        ]

    assert flavors("minRam=8192&sort_key=memory_mb") == ["4", "5"]
    assert flavors("minDisk=160") == ["5"]
    assert flavors("name=^m1.t") == ["1"]
    assert flavors("limit=2&sort_key=memory_mb&sort_dir=asc") == ["42", "84"]
    assert flavors("limit=2&sort_key=memory_mb&sort_dir=asc&marker=84") == ["1", "2"]
    private = {"flavor": {"name": "p", "id": "p", "ram": 1, "vcpus": 1, "disk": 0, "os-flavor-access:is_public": False}}
    cloud.call("POST", "/flavors", private, token=ADMIN, status=200)
    assert ("p" in flavors(""), "p" in flavors("", ADMIN), flavors("is_public=false", ADMIN)) == (False, False, ["p"])
    cloud.call("GET", "/flavors?marker=p", version=V, status=400)
    cloud.call("GET", "/flavors/p", status=404)
    cloud.call(
        "POST", "/flavors/p/action", {"addTenantAccess": {"tenant": PROJECT_A}}, token=ADMIN, version="2.7", status=200
    )
    assert "p" in flavors("")
    cloud.call("POST", "/flavors", private, token=ADMIN, status=409)
    cloud.call("DELETE", "/flavors/p", token=ADMIN, status=202)
    cloud.call("DELETE", "/flavors/p", token=ADMIN, status=404)
