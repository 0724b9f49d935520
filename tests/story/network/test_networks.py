"""Networks and subnets, as clients use them."""

from __future__ import annotations

import pytest

from tests.facts import sample
from tests.story.network.conftest import Cloud


def documented(path: str, kind: str) -> set[str]:
    """The attributes that the reference shows of a thing."""
    return set(sample("network", path)[kind])


def test_a_network_has_the_documented_attributes(cloud: Cloud) -> None:
    made = cloud.admin.make("network", name="blue", description="sky")
    assert documented("networks/network-show-response.json", "network") - {"pvlan", "qinq"} <= set(made)
    assert (made["name"], made["status"], made["tenant_id"], made["mtu"]) == ("blue", "ACTIVE", "padmin", 1500)
    assert made["provider:network_type"] == "flat"
    assert cloud.admin.get(f"/networks/{made['id']}")["network"] == made


def test_a_project_sees_its_own_shared_and_external_networks(cloud: Cloud) -> None:
    mine = cloud.p1.make("network", name="mine")
    theirs = cloud.p2.make("network", name="theirs")
    shared = cloud.admin.make("network", name="shared", shared=True)
    outside = cloud.admin.make("network", name="outside", **{"router:external": True})
    seen = {one["id"] for one in cloud.p1.get("/networks")["networks"]}
    assert seen == {mine["id"], shared["id"], outside["id"]}
    assert "provider:network_type" not in mine
    for way, body in (("GET", None), ("PUT", {"network": {"name": "x"}}), ("DELETE", None)):
        assert cloud.p1.refused(way, f"/networks/{theirs['id']}", body, expect=404)[0] == "NetworkNotFound"
    assert cloud.p1.refused("DELETE", f"/networks/{shared['id']}", expect=403)[0] == "PolicyNotAuthorized"
    assert len(cloud.admin.get("/networks")["networks"]) == 4


@pytest.mark.parametrize(
    "field",
    ["shared", "router:external", "is_default"],
)
def test_what_is_for_administrators_is_refused_to_others(cloud: Cloud, field: str) -> None:
    assert cloud.p1.refused_make("network", expect=403, **{field: True})[0] == "PolicyNotAuthorized"
    cloud.p1.make("network", **{field: False})
    own = cloud.p1.make("network")
    assert cloud.p1.refused("PUT", f"/networks/{own['id']}", {"network": {field: True}}, expect=403)


def test_a_reader_reads(cloud: Cloud) -> None:
    own = cloud.p1.make("network")
    assert cloud.reader.get(f"/networks/{own['id']}")["network"]["id"] == own["id"]
    for way, path, body in (
        ("POST", "/networks", {"network": {}}),
        ("PUT", f"/networks/{own['id']}", {"network": {"name": "x"}}),
        ("DELETE", f"/networks/{own['id']}", None),
    ):
        assert cloud.reader.refused(way, path, body, expect=403)[0] == "PolicyNotAuthorized"


@pytest.mark.parametrize("kind", ["vlan", "gre", "local"])
def test_kinds_that_no_host_carries_are_refused_by_name(cloud: Cloud, kind: str) -> None:
    fields = {"provider:network_type": kind, "provider:segmentation_id": 7}
    assert "flat" in cloud.admin.refused_make("network", expect=400, **fields)[1]


def vxlan(cloud: Cloud, **fields: object) -> dict[str, object]:
    return cloud.admin.make("network", **{"provider:network_type": "vxlan", **fields})


def test_an_administrator_makes_networks_that_span_hosts(cloud: Cloud) -> None:
    one, other = vxlan(cloud), vxlan(cloud)
    segments = [made["provider:segmentation_id"] for made in (one, other)]
    assert (one["provider:network_type"], one["mtu"]) == ("vxlan", 1450)
    assert len(set(segments)) == 2
    assert all(10_000 <= int(str(segment)) <= 75_534 for segment in segments)
    assert cloud.p1.refused_make("network", expect=403, **{"provider:network_type": "vxlan"})


def test_a_segment_is_one_networks_until_that_is_deleted(cloud: Cloud) -> None:
    wanted = {"provider:network_type": "vxlan", "provider:segmentation_id": 7}
    first = cloud.admin.make("network", **wanted)
    kind, message = cloud.admin.refused_make("network", expect=409, **wanted)
    assert (kind, "tunnel ID 7 is in use" in message) == ("TunnelIdInUse", True)
    cloud.admin("DELETE", f"/networks/{first['id']}", expect=204)
    assert cloud.admin.make("network", **wanted)["provider:segmentation_id"] == 7


@pytest.mark.parametrize(
    "fields",
    [
        {"provider:network_type": "flat", "provider:segmentation_id": 7},
        {"provider:network_type": "vxlan", "provider:segmentation_id": 1 << 24},
        {"provider:network_type": "vxlan", "provider:segmentation_id": 0},
        {"provider:network_type": "vxlan", "provider:physical_network": "eth1"},
        {"provider:network_type": "vxlan", "mtu": 1451},
    ],
)
def test_provider_attributes_that_cannot_be_are_refused(cloud: Cloud, fields: dict[str, object]) -> None:
    cloud.admin.refused_make("network", expect=400, **fields)


def test_networks_are_made_in_bulk_or_not_at_all(cloud: Cloud) -> None:
    body = {"networks": [{"name": "a"}, {"name": "b"}]}
    made = cloud.p1("POST", "/networks", body, expect=201)["networks"]
    assert [one["name"] for one in made] == ["a", "b"]
    cloud.p1.refused("POST", "/networks", {"networks": [{"name": "c"}, {"name": "d", "mtu": 9000}]}, expect=400)
    assert {one["name"] for one in cloud.p1.get("/networks?fields=name")["networks"]} == {"a", "b"}


def test_changing_a_network_raises_its_revision(cloud: Cloud) -> None:
    made = cloud.p1.make("network", name="old")
    changed = cloud.p1.change("network", made["id"], name="new", admin_state_up=False, mtu=1400)
    assert (changed["name"], changed["admin_state_up"], changed["mtu"]) == ("new", False, 1400)
    assert changed["revision_number"] == made["revision_number"] + 1


@pytest.mark.parametrize(
    ("body", "word"),
    [
        ({"network": {"name": "x" * 256}}, "name"),
        ({"network": {"nam": "x"}}, "nam"),
        ({"network": {"mtu": 20}}, "mtu"),
        ({"network": {"admin_state_up": "maybe"}}, "admin_state_up"),
        ({"network": []}, "network"),
        ({"networks": []}, "networks"),
        ({"network": {}, "networks": [{}]}, "either"),
        ({}, "either"),
        ([], "body"),
        ({"network": {"project_id": "p2"}}, "project_id"),
        ({"network": {"project_id": "p1", "tenant_id": "p2"}}, "tenant_id"),
        ({"network": {"availability_zone_hints": ["mars"]}}, "mars"),
    ],
)
def test_bad_networks_are_refused_by_the_field(cloud: Cloud, body: object, word: str) -> None:
    assert word in cloud.p1.refused("POST", "/networks", body, expect=400)[1]


def test_an_administrator_makes_networks_for_others(cloud: Cloud) -> None:
    assert cloud.admin.make("network", tenant_id="p1")["project_id"] == "p1"


def test_networks_are_filtered_sorted_and_paged_both_ways(cloud: Cloud) -> None:
    for name in ("d", "a", "c", "b", "e"):
        cloud.p1.make("network", name=name)
    names = lambda reply: "".join(one["name"] for one in reply["networks"])  # noqa: E731
    assert names(cloud.p1.get("/networks?name=a&name=c&sort_key=name")) == "ac"
    assert names(cloud.p1.get("/networks?shared=True")) == ""
    assert names(cloud.p1.get("/networks?status=ACTIVE&sort_key=name&sort_dir=desc")) == "edcba"
    assert names(cloud.p1.get("/networks?status=DOWN")) == ""
    page = cloud.p1.get("/networks?sort_key=name&limit=2")
    walked = [names(page)]
    while links := {one["rel"]: one["href"] for one in page.get("networks_links", [])}:
        if "next" not in links:
            break
        page = cloud.p1.http.get(links["next"]).json()
        walked.append(names(page))
    assert walked == ["ab", "cd", "e"]
    back = cloud.p1.http.get(links["previous"]).json()
    assert names(back) == "cd"
    assert cloud.p1.get("/networks?fields=id&fields=name&limit=1")["networks"][0].keys() == {"id", "name"}


@pytest.mark.parametrize(
    "query", ["colour=red", "sort_key=colour", "sort_dir=up", "limit=x", "limit=-1", "shared=maybe", "marker=no"]
)
def test_bad_queries_are_refused(cloud: Cloud, query: str) -> None:
    cloud.p1.refused("GET", f"/networks?{query}", expect=400)


def test_a_network_with_ports_stays(cloud: Cloud) -> None:
    network = cloud.p1.make("network")
    subnet = cloud.p1.make("subnet", network_id=network["id"], cidr="10.1.0.0/24", ip_version=4)
    port = cloud.p1.make("port", network_id=network["id"])
    assert cloud.p1.refused("DELETE", f"/networks/{network['id']}", expect=409)[0] == "NetworkInUse"
    assert cloud.p1.refused("DELETE", f"/subnets/{subnet['id']}", expect=409)[0] == "SubnetInUse"
    cloud.p1.delete("port", port["id"])
    cloud.p1.delete("network", network["id"])
    cloud.p1.refused("GET", f"/subnets/{subnet['id']}", expect=404)


def test_a_subnet_has_the_documented_attributes(cloud: Cloud) -> None:
    network = cloud.p1.make("network")
    made = cloud.p1.make("subnet", network_id=network["id"], cidr="192.168.199.7/24", ip_version=4, name="s")
    assert documented("subnets/subnet-show-response.json", "subnet") <= set(made)
    assert (made["cidr"], made["gateway_ip"]) == ("192.168.199.0/24", "192.168.199.1")
    assert made["allocation_pools"] == [{"start": "192.168.199.2", "end": "192.168.199.254"}]
    assert cloud.p1.get(f"/networks/{network['id']}")["network"]["subnets"] == [made["id"]]
    assert cloud.p1.get(f"/subnets?network_id={network['id']}&cidr=192.168.199.0/24")["subnets"] == [made]


def test_a_subnet_of_ipv6(cloud: Cloud) -> None:
    network = cloud.p1.make("network")
    fields = {"network_id": network["id"], "cidr": "fd00:1::/64", "ip_version": 6}
    made = cloud.p1.make("subnet", **fields, ipv6_ra_mode="dhcpv6-stateful", ipv6_address_mode="dhcpv6-stateful")
    assert made["gateway_ip"] == "fd00:1::1"
    assert made["allocation_pools"] == [{"start": "fd00:1::2", "end": "fd00:1::ffff:ffff:ffff:ffff"}]
    assert (
        "slaac"
        in cloud.p1.refused_make("subnet", expect=400, **{**fields, "cidr": "fd00:2::/64", "ipv6_ra_mode": "slaac"})[1]
    )


@pytest.mark.parametrize(
    ("fields", "status", "word"),
    [
        ({"cidr": "10.0.0.0/33"}, 400, "cidr"),
        ({"cidr": "10.0.0.0"}, 400, "cidr"),
        ({"cidr": "10.0.0.0/31"}, 400, "too small"),
        ({"cidr": "224.0.0.0/24"}, 400, "cidr"),
        ({"cidr": "128.0.0.0/1"}, 400, "wider than /8"),
        ({"cidr": "169.254.169.0/24"}, 400, "reserved"),
        ({"cidr": "fd00::/64"}, 400, "version"),
        ({"ip_version": 5}, 400, "ip_version"),
        ({"cidr": "10.9.0.128/25"}, 400, "overlaps"),
        ({"gateway_ip": "10.1.0.1"}, 400, "Gateway"),
        ({"gateway_ip": "10.0.0.255"}, 400, "Gateway"),
        ({"gateway_ip": "10.0.0.9", "allocation_pools": [{"start": "10.0.0.2", "end": "10.0.0.20"}]}, 409, "conflicts"),
        ({"allocation_pools": [{"start": "10.0.0.20", "end": "10.0.0.2"}]}, 400, "not valid"),
        ({"allocation_pools": [{"start": "10.0.0.20", "end": "10.0.1.2"}]}, 400, "beyond"),
        (
            {"allocation_pools": [{"start": "10.0.0.2", "end": "10.0.0.9"}, {"start": "10.0.0.9", "end": "10.0.0.11"}]},
            409,
            "overl",
        ),
        ({"allocation_pools": [{"start": "10.0.0.2"}]}, 400, "end"),
        ({"dns_nameservers": ["nine"]}, 400, "dns_nameservers"),
        ({"dns_nameservers": ["1.1.1.1"] * 2}, 400, "twice"),
        ({"dns_nameservers": ["fd00::1"]}, 400, "version"),
        ({"host_routes": [{"destination": "10.2.0.0/16", "nexthop": "fd00::1"}]}, 400, "version"),
        ({"host_routes": [{"destination": "x", "nexthop": "10.0.0.1"}]}, 400, "destination"),
        ({"subnetpool_id": "some"}, 400, "pools"),
        ({"ipv6_ra_mode": "slaac"}, 400, "ipv6_ra_mode"),
        ({"network_id": "nowhere"}, 404, "nowhere"),
    ],
)
def test_bad_subnets_are_refused_by_the_field(cloud: Cloud, fields: dict[str, object], status: int, word: str) -> None:
    network = cloud.p1.make("network")
    cloud.p1.make("subnet", network_id=network["id"], cidr="10.9.0.0/24", ip_version=4)
    whole = {"network_id": network["id"], "cidr": "10.0.0.0/24", "ip_version": 4} | fields
    assert word in cloud.p1.refused_make("subnet", expect=status, **whole)[1]


def test_only_a_networks_owner_makes_subnets_on_it(cloud: Cloud) -> None:
    shared = cloud.admin.make("network", shared=True)
    fields = {"network_id": shared["id"], "cidr": "10.0.0.0/24", "ip_version": 4}
    assert cloud.p1.refused_make("subnet", expect=403, **fields)[0] == "PolicyNotAuthorized"
    made = cloud.admin.make("subnet", **fields)
    assert cloud.p1.get(f"/subnets/{made['id']}")["subnet"]["id"] == made["id"]
    cloud.p1.refused("DELETE", f"/subnets/{made['id']}", expect=403)


def test_changing_a_subnet(cloud: Cloud) -> None:
    network = cloud.p1.make("network")
    made = cloud.p1.make("subnet", network_id=network["id"], cidr="10.0.0.0/24", ip_version=4)
    pools = [{"start": "10.0.0.100", "end": "10.0.0.200"}]
    changed = cloud.p1.change(
        "subnet", made["id"], name="n", allocation_pools=pools, gateway_ip="10.0.0.254", enable_dhcp=False
    )
    assert (changed["allocation_pools"], changed["gateway_ip"], changed["enable_dhcp"]) == (pools, "10.0.0.254", False)
    assert cloud.p1.change("subnet", made["id"], gateway_ip=None)["gateway_ip"] is None
    port = cloud.p1.make("port", network_id=network["id"])["fixed_ips"][0]["ip_address"]
    body = {"subnet": {"gateway_ip": port, "allocation_pools": [{"start": "10.0.0.2", "end": "10.0.0.3"}]}}
    assert cloud.p1.refused("PUT", f"/subnets/{made['id']}", body, expect=409)[0] == "GatewayIpInUse"
    cloud.p1.refused("PUT", f"/subnets/{made['id']}", {"subnet": {"cidr": "10.7.0.0/24"}}, expect=400)


def test_a_shared_network_that_others_use_stays_shared(cloud: Cloud) -> None:
    shared = cloud.admin.make("network", shared=True)
    cloud.p1.make("port", network_id=shared["id"])
    body = {"network": {"shared": False}}
    assert cloud.admin.refused("PUT", f"/networks/{shared['id']}", body, expect=409)[0] == "SharedNetworkInUse"
