"""Ports, as clients use them."""

from __future__ import annotations

import pytest

from kilonova.domain.boot import NicRequest
from kilonova.network.allocate import Allocator
from tests.facts import sample
from tests.story.network.conftest import Answer, Cloud

OTHER_SWITCHING = {"pvlan_type", "pvlan_community", "hardware_offload_type", "trusted"}


def usable(cloud: Cloud, *, shared: bool = False) -> Answer:
    """A network of p1's (or, when shared, the administrator's) with a subnet."""
    who = cloud.admin if shared else cloud.p1
    network = who.make("network", **({"shared": True} if shared else {}))
    network["subnet"] = who.make("subnet", network_id=network["id"], cidr="10.0.0.0/24", ip_version=4)["id"]
    return network


def test_a_port_has_the_documented_attributes(cloud: Cloud) -> None:
    network = usable(cloud)
    made = cloud.p1.make("port", network_id=network["id"], name="p", dns_name="web")
    assert set(sample("network", "ports/port-show-response.json")["port"]) - OTHER_SWITCHING <= set(made)
    assert made["fixed_ips"] == [{"subnet_id": network["subnet"], "ip_address": "10.0.0.2"}]
    assert (made["status"], made["device_id"], made["port_security_enabled"]) == ("DOWN", "", True)
    assert made["dns_assignment"] == [{"hostname": "web", "ip_address": "10.0.0.2", "fqdn": "web."}]
    (default,) = cloud.p1.get("/security-groups")["security_groups"]
    assert made["security_groups"] == [default["id"]]
    assert "binding:host_id" not in made
    assert cloud.admin.get(f"/ports/{made['id']}")["port"]["binding:vif_type"] == "unbound"


def test_ports_get_the_addresses_they_ask_for(cloud: Cloud) -> None:
    network = usable(cloud)
    wanted = [{"ip_address": "10.0.0.77"}, {"subnet_id": network["subnet"]}]
    made = cloud.p1.make("port", network_id=network["id"], fixed_ips=wanted)
    assert [one["ip_address"] for one in made["fixed_ips"]] == ["10.0.0.77", "10.0.0.2"]
    assert cloud.p1.make("port", network_id=network["id"], fixed_ips=[])["fixed_ips"] == []
    for address, status, kind in (("10.0.0.77", 409, "IpAddressInUse"), ("10.5.0.1", 400, "InvalidIpForNetwork")):
        fields = {"network_id": network["id"], "fixed_ips": [{"ip_address": address}]}
        assert cloud.p1.refused_make("port", expect=status, **fields)[0] == kind


def test_a_used_up_pool_is_told_with_its_numbers(cloud: Cloud) -> None:
    network = cloud.p1.make("network")
    pools = [{"start": "10.0.0.5", "end": "10.0.0.5"}]
    cloud.p1.make("subnet", network_id=network["id"], cidr="10.0.0.0/24", ip_version=4, allocation_pools=pools)
    cloud.p1.make("port", network_id=network["id"])
    kind, message = cloud.p1.refused_make("port", expect=409, network_id=network["id"])
    assert (kind, "1 of 1" in message) == ("IpAddressGenerationFailure", True)


def test_on_a_shared_network_a_subnet_may_be_chosen_and_an_address_not(cloud: Cloud) -> None:
    network = usable(cloud, shared=True)
    cloud.p1.make("port", network_id=network["id"], fixed_ips=[{"subnet_id": network["subnet"]}])
    for fields in (
        {"fixed_ips": [{"ip_address": "10.0.0.9"}]},
        {"mac_address": "fa:16:3e:00:00:01"},
        {"port_security_enabled": False},
        {"device_owner": "network:dhcp"},
        {"binding:profile": {"a": 1}},
    ):
        assert cloud.p1.refused_make("port", expect=403, network_id=network["id"], **fields)[0] == "PolicyNotAuthorized"


def test_a_mac_is_used_once_on_a_network(cloud: Cloud) -> None:
    network = usable(cloud)
    cloud.p1.make("port", network_id=network["id"], mac_address="FA:16:3E:00:00:01")
    fields = {"network_id": network["id"], "mac_address": "fa:16:3e:00:00:01"}
    assert cloud.p1.refused_make("port", expect=409, **fields)[0] == "MacAddressInUse"
    other = cloud.p1.make("port", network_id=network["id"])
    body = {"port": {"mac_address": "fa:16:3e:00:00:01"}}
    assert cloud.p1.refused("PUT", f"/ports/{other['id']}", body, expect=409)[0] == "MacAddressInUse"
    assert cloud.p1.get("/ports?mac_address=FA:16:3e:00:00:01")["ports"][0]["mac_address"] == "fa:16:3e:00:00:01"


def test_changing_a_port(cloud: Cloud) -> None:
    network = usable(cloud)
    group = cloud.p1.make("security_group", name="web")
    made = cloud.p1.make("port", network_id=network["id"], extra_dhcp_opts=[{"opt_name": "mtu", "opt_value": "1400"}])
    options = [{"opt_name": "mtu", "opt_value": None}, {"opt_name": "router", "opt_value": "10.0.0.9"}]
    pairs = [{"ip_address": "10.0.0.200"}, {"ip_address": "10.9.0.0/24", "mac_address": "fa:16:3e:00:00:07"}]
    changed = cloud.p1.change(
        "port", made["id"], name="new", security_groups=[group["id"]], extra_dhcp_opts=options, allowed_address_pairs=pairs,
        fixed_ips=[{"subnet_id": network["subnet"]}, {"ip_address": "10.0.0.90"}],
    )  # fmt: skip
    assert (changed["name"], changed["security_groups"]) == ("new", [group["id"]])
    assert changed["extra_dhcp_opts"] == [{"opt_name": "router", "opt_value": "10.0.0.9", "ip_version": 4}]
    assert changed["allowed_address_pairs"][0] == {"ip_address": "10.0.0.200", "mac_address": made["mac_address"]}
    assert [one["ip_address"] for one in changed["fixed_ips"]] == ["10.0.0.2", "10.0.0.90"]
    assert cloud.p1.change("port", made["id"], security_groups=[])["security_groups"] == []
    more = cloud.p1.change("port", made["id"], fixed_ips=[*changed["fixed_ips"], {"subnet_id": network["subnet"]}])
    assert [one["ip_address"] for one in more["fixed_ips"]] == ["10.0.0.2", "10.0.0.90", "10.0.0.3"]


def test_a_port_without_security_is_in_no_group(cloud: Cloud) -> None:
    network = usable(cloud)
    made = cloud.p1.make("port", network_id=network["id"])
    body = {"port": {"port_security_enabled": False}}
    assert cloud.p1.refused("PUT", f"/ports/{made['id']}", body, expect=409)[0] == "PortSecurityPortHasSecurityGroup"
    assert cloud.p1.change("port", made["id"], port_security_enabled=False, security_groups=[])["security_groups"] == []
    body = {"port": {"allowed_address_pairs": [{"ip_address": "10.0.0.9"}]}}
    assert cloud.p1.refused("PUT", f"/ports/{made['id']}", body, expect=409)[0] == "AddressPairAndPortSecurityRequired"


@pytest.mark.parametrize(
    ("fields", "status", "word"),
    [
        ({"network_id": "nowhere"}, 404, "nowhere"),
        ({"fixed_ips": [{}]}, 400, "fixed_ips"),
        ({"fixed_ips": [{"ip_address": "x"}]}, 400, "ip_address"),
        ({"fixed_ips": [{"subnet_id": "nowhere"}]}, 400, "nowhere"),
        ({"fixed_ips": [{"ip_address": "10.0.0.0"}]}, 400, "broadcast"),
        ({"fixed_ips": [{"ip_address": "10.0.0.9"}, {"ip_address": "10.0.0.9"}]}, 409, "10.0.0.9"),
        ({"mac_address": "01:00:00:00:00:00"}, 400, "mac_address"),
        ({"security_groups": ["nowhere"]}, 404, "nowhere"),
        ({"binding:vnic_type": "direct"}, 400, "normal"),
        ({"binding:host_id": "h1"}, 400, "host"),
        ({"device_owner": "compute:nova"}, 403, "compute:"),
        ({"device_owner": "Compute:nova"}, 403, "compute:"),
        ({"allowed_address_pairs": [{"ip_address": "x"}]}, 400, "allowed_address_pairs"),
        ({"allowed_address_pairs": [{"ip_address": "10.0.0.9"}] * 2}, 400, "twice"),
        ({"allowed_address_pairs": [{"ip_address": f"10.0.0.{n}"} for n in range(11)]}, 400, "limit"),
        ({"extra_dhcp_opts": [{"opt_name": "a\nb", "opt_value": "x"}]}, 400, "opt_name"),
        ({"extra_dhcp_opts": [{"opt_name": "mtu", "opt_value": "1\nserver=evil"}]}, 400, "opt_value"),
        ({"dns_name": "not a name"}, 400, "dns_name"),
        ({"project_id": "p2"}, 400, "project_id"),
    ],
)
def test_bad_ports_are_refused_by_the_field(cloud: Cloud, fields: dict[str, object], status: int, word: str) -> None:
    network = usable(cloud)
    assert word in cloud.p1.refused_make("port", expect=status, **({"network_id": network["id"]} | fields))[1]


def test_other_projects_ports_do_not_exist_but_a_networks_owner_sees_them(cloud: Cloud) -> None:
    network = usable(cloud)
    cloud.admin.change("network", network["id"], shared=True)
    theirs = cloud.p2.make("port", network_id=network["id"])
    assert cloud.p1.get(f"/ports/{theirs['id']}")["port"]["project_id"] == "p2"
    mine = cloud.p1.make("port", network_id=network["id"])
    for way, body in (("GET", None), ("PUT", {"port": {"name": "x"}}), ("DELETE", None)):
        assert cloud.p2.refused(way, f"/ports/{mine['id']}", body, expect=404)[0] == "PortNotFound"
    assert cloud.p1.refused("PUT", f"/ports/{theirs['id']}", {"port": {"name": "x"}}, expect=403)
    cloud.p1.delete("port", theirs["id"])


def test_a_servers_port_stays_until_the_server_gives_it_back(cloud: Cloud) -> None:
    network = usable(cloud)
    with cloud.database.write() as tx:
        (port,) = Allocator(tx, cloud.ids, cloud.clock.now()).allocate(
            cloud.server(tx, "h1"), [NicRequest(network_id=network["id"])], []
        )
    assert cloud.p1.refused("DELETE", f"/ports/{port.id}", expect=409)[0] == "ServicePortInUse"
    for body in ({"device_id": "x"}, {"device_owner": ""}, {"mac_address": "fa:16:3e:00:00:01"}):
        assert cloud.p1.refused("PUT", f"/ports/{port.id}", {"port": body}, expect=409)[0] == "PortBound"
    assert cloud.admin.get(f"/ports/{port.id}")["port"]["binding:host_id"] == "h1"
    cloud.told()
    cloud.p1.change("port", port.id, name="eth0", extra_dhcp_opts=[{"opt_name": "mtu", "opt_value": "1300"}])
    assert cloud.told() == ["agent.h1"]
    (told,) = cloud.bus.parts["agent.h1"].ports
    assert (told.id, told.dhcp_options) == (port.id, (("mtu", "1300", 4),))


def test_ports_are_found_by_what_they_have(cloud: Cloud) -> None:
    network = usable(cloud)
    group = cloud.p1.make("security_group", name="web")
    first = cloud.p1.make("port", network_id=network["id"], device_id="d1", security_groups=[group["id"]])
    second = cloud.p1.make("port", network_id=network["id"], device_id="d2", admin_state_up=False)
    subnet = network["subnet"]
    for query, expected in {
        "fixed_ips=ip_address%3D10.0.0.3": {second["id"]},
        f"fixed_ips=subnet_id%3D{subnet}": {first["id"], second["id"]},
        f"fixed_ips=subnet_id%3D{subnet}&fixed_ips=ip_address%3D10.0.0.2": {first["id"]},
        "fixed_ips=ip_address_substr%3D0.0.3": {second["id"]},
        "fixed_ips=nonsense": set(),
        f"security_groups={group['id']}": {first["id"]},
        "device_id=d1&device_id=d2": {first["id"], second["id"]},
        "admin_state_up=false": {second["id"]},
        f"network_id={network['id']}&status=DOWN": {first["id"], second["id"]},
        "changed_since=2030-01-01T00:00:00": set(),
    }.items():
        assert {one["id"] for one in cloud.p1.get(f"/ports?{query}")["ports"]} == expected, query


def test_the_quota_of_ports_is_kept(cloud: Cloud) -> None:
    network = usable(cloud)
    cloud.admin("PUT", "/quotas/p1", {"quota": {"port": 1}}, expect=200)
    cloud.p1.make("port", network_id=network["id"])
    assert cloud.p1.refused_make("port", expect=409, network_id=network["id"])[0] == "OverQuota"
