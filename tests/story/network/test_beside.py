"""What clients ask beside the resources: versions, extensions, tags, quotas, zones, free addresses."""

from __future__ import annotations

from urllib.parse import quote

import pytest

from tests.facts import sample
from tests.story.network.conftest import Cloud

ODD = 'a/b "c"'
ODD_IN_URL = quote(ODD, safe="")


def test_the_versions_are_told_to_anybody(cloud: Cloud) -> None:
    (version,) = cloud.nobody.http.get("/networking/").json()["versions"]
    assert (version["id"], version["status"]) == ("v2.0", "CURRENT")
    assert version["links"][0]["href"].endswith("/networking/v2.0/")
    resources = cloud.nobody.http.get("/networking/v2.0/").json()["resources"]
    assert {"networks", "subnets", "ports", "security_groups"} <= {one["collection"] for one in resources}


@pytest.mark.parametrize("path", ["/networks", "/extensions", "/quotas/p1", "/ports/x"])
def test_nobody_gets_nothing(cloud: Cloud, path: str) -> None:
    cloud.nobody("GET", path, expect=401)


def test_extensions_are_listed_and_shown(cloud: Cloud) -> None:
    listed = cloud.p1.get("/extensions")["extensions"]
    assert set(sample("network", "extensions/extension-show-response.json")["extension"]) == set(listed[0])
    assert {"security-group", "port-security", "provider", "quotas", "project-id"} <= {one["alias"] for one in listed}
    assert cloud.p1.get("/extensions/security-group")["extension"]["alias"] == "security-group"
    for alias in ("router", "trunk"):
        cloud.p1.refused("GET", f"/extensions/{alias}", expect=404)


@pytest.mark.parametrize("kind", ["network", "subnet", "port", "security_group"])
def test_things_have_tags(cloud: Cloud, kind: str) -> None:
    network = cloud.p1.make("network")
    fields = {
        "network": {},
        "subnet": {"network_id": network["id"], "cidr": "10.0.0.0/24", "ip_version": 4},
        "port": {"network_id": network["id"]},
        "security_group": {"name": "web"},
    }[kind]
    ident = cloud.p1.make(kind, **fields)["id"]
    collection = f"/{kind.replace('_', '-')}s"
    path = f"{collection}/{ident}/tags"
    assert cloud.p1("PUT", path, {"tags": ["red", "blue", "red"]}, expect=200) == {"tags": ["red", "blue"]}
    cloud.p1("PUT", f"{path}/{ODD_IN_URL}", expect=201)
    cloud.p1("GET", f"{path}/blue", expect=204)
    assert cloud.p1.refused("GET", f"{path}/green", expect=404)[0] == "TagNotFound"
    cloud.p1("DELETE", f"{path}/blue", expect=204)
    cloud.p1.refused("DELETE", f"{path}/blue", expect=404)
    assert cloud.p1.get(path) == {"tags": ["red", ODD]}
    for query, finds in {
        "tags=red": True,
        "tags=red,blue": False,
        "tags-any=red,blue": True,
        "not-tags=red,blue": True,
        "not-tags-any=red,blue": False,
        "tags=re": False,
    }.items():
        key = f"{kind}s"
        assert (ident in {one["id"] for one in cloud.p1.get(f"{collection}?{query}")[key]}) is finds, query
    cloud.p2.refused("GET", path, expect=404)
    cloud.reader.refused("PUT", path, {"tags": []}, expect=403)
    cloud.p1("DELETE", path, expect=204)
    assert cloud.p1.get(f"{collection}/{ident}")[kind]["tags"] == []
    assert "60" in cloud.p1.refused("PUT", path, {"tags": ["x" * 61]}, expect=400)[1]
    assert "50" in cloud.p1.refused("PUT", path, {"tags": [str(n) for n in range(51)]}, expect=400)[1]


def test_quotas_are_shown_set_and_reset(cloud: Cloud) -> None:
    defaults = {"network": 100, "subnet": 100, "port": 500, "security_group": 10, "security_group_rule": 100}
    assert cloud.p1.get("/quotas/p1")["quota"] == defaults
    assert cloud.p1.get("/quotas/p1/default")["quota"] == defaults
    cloud.p1.refused("GET", "/quotas/p2", expect=403)
    cloud.p1.refused("PUT", "/quotas/p1", {"quota": {"port": 9}}, expect=403)
    assert cloud.admin("PUT", "/quotas/p1", {"quota": {"port": "9"}}, expect=200)["quota"]["port"] == 9
    cloud.p1.make("network")
    details = cloud.p1.get("/quotas/p1/details.json")["quota"]
    assert (details["port"]["limit"], details["network"]) == (9, {"limit": 100, "used": 1, "reserved": 0})
    assert [one["project_id"] for one in cloud.admin.get("/quotas")["quotas"]] == ["p1"]
    cloud.admin("PUT", "/quotas/default", {"quota": {"subnet": 7}}, expect=200)
    assert cloud.p2.get("/quotas/p2")["quota"]["subnet"] == 7
    cloud.admin("DELETE", "/quotas/p1", expect=204)
    assert cloud.p1.get("/quotas/p1")["quota"] == defaults | {"subnet": 7}
    assert "port" in cloud.admin.refused("PUT", "/quotas/p1", {"quota": {"port": -2}}, expect=400)[1]


def test_the_quotas_of_networks_and_subnets_are_kept(cloud: Cloud) -> None:
    cloud.admin("PUT", "/quotas/p1", {"quota": {"network": 1, "subnet": 0}}, expect=200)
    network = cloud.p1.make("network")
    assert cloud.p1.refused_make("network", expect=409)[0] == "OverQuota"
    fields = {"network_id": network["id"], "cidr": "10.0.0.0/24", "ip_version": 4}
    assert cloud.p1.refused_make("subnet", expect=409, **fields)[0] == "OverQuota"


def test_free_addresses_are_counted(cloud: Cloud) -> None:
    network = cloud.p1.make("network", name="net")
    cloud.p1.make("subnet", network_id=network["id"], cidr="10.0.0.0/24", ip_version=4)
    cloud.p1.make("subnet", network_id=network["id"], cidr="fd00::/48", ip_version=6)
    cloud.p1.make("port", network_id=network["id"])
    shown = cloud.admin.get(f"/network-ip-availabilities/{network['id']}")["network_ip_availability"]
    totals = {one["ip_version"]: one["total_ips"] for one in shown["subnet_ip_availability"]}
    assert (shown["used_ips"], totals) == (2, {4: 253, 6: 2**63 - 1})
    listed = cloud.admin.get("/network-ip-availabilities?network_name=net")["network_ip_availabilities"]
    assert listed == [shown]
    (only_v4,) = cloud.admin.get("/network-ip-availabilities?ip_version=4")["network_ip_availabilities"]
    assert (only_v4["total_ips"], only_v4["used_ips"]) == (253, 1)
    cloud.p1.refused("GET", "/network-ip-availabilities", expect=403)
    cloud.admin.refused("GET", "/network-ip-availabilities/nowhere", expect=404)


def test_zones_are_those_of_the_hosts(cloud: Cloud) -> None:
    assert cloud.p1.get("/availability_zones") == {"availability_zones": []}
