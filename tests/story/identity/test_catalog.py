"""Regions, services and endpoints, and what of them tokens show."""

from __future__ import annotations

from tests.fakes.identity import Caller


def test_what_is_made_here_shows_in_catalogs(admin: Caller, demo: Caller) -> None:
    admin.make("region", id="Two", description="second")
    service = admin.make("service", type="dns", name="designate")
    endpoint = admin.make(
        "endpoint", service_id=service["id"], interface="public", region_id="Two", url="http://dns/$(project_id)s"
    )
    catalog = {one["type"]: one for one in demo.ok("GET", "/auth/catalog")["catalog"]}
    (shown,) = catalog["dns"]["endpoints"]
    assert shown["region"] == shown["region_id"] == "Two"
    assert "$" not in shown["url"]
    path = f"/endpoints/{endpoint['id']}"
    assert admin.ok("PATCH", path, {"endpoint": {"enabled": False}})["endpoint"]["url"] == "http://dns/$(project_id)s"
    assert {one["type"]: one for one in demo.ok("GET", "/auth/catalog")["catalog"]}["dns"]["endpoints"] == []
    assert admin.status("DELETE", "/regions/Two") == 409
    assert admin.status("PATCH", path, {"endpoint": {"region_id": "none"}}) == 400
    assert admin.status("DELETE", f"/services/{service['id']}") == 204
    assert admin.status("GET", path) == 404
    assert admin.status("DELETE", "/regions/Two") == 204


def test_a_region_named_the_old_way_is_made(admin: Caller) -> None:
    service = admin.make("service", type="dns")
    made = {"service_id": service["id"], "interface": "public", "url": "http://dns"}
    assert admin.status("POST", "/endpoints", {"endpoint": {**made, "region_id": "Three"}}) == 400
    assert admin.make("endpoint", **made, region="Three")["region_id"] == "Three"
    assert admin.status("GET", "/regions/Three") == 200


def test_regions_nest(admin: Caller) -> None:
    admin.make("region", id="outer")
    assert admin.make("region", parent_region_id="outer")["parent_region_id"] == "outer"
    assert len(admin.ok("GET", "/regions?parent_region_id=outer")["regions"]) == 1
    assert admin.status("POST", "/regions", {"region": {"id": "outer"}}) == 409
    assert admin.status("PATCH", "/regions/outer", {"region": {"parent_region_id": "outer"}}) == 400
    assert admin.status("DELETE", "/regions/outer") == 409


def test_lists_are_filtered(admin: Caller) -> None:
    assert [one["name"] for one in admin.ok("GET", "/services?type=compute")["services"]] == ["nova"]
    compute = admin.ok("GET", "/services?type=compute")["services"][0]["id"]
    found = admin.ok("GET", f"/endpoints?service_id={compute}&interface=public")["endpoints"]
    assert [(one["service_id"], one["interface"]) for one in found] == [(compute, "public")]
