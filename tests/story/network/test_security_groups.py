"""Security groups and rules, as clients use them."""

from __future__ import annotations

from typing import Any

import pytest

from kilonova.domain.boot import NicRequest
from kilonova.network.allocate import Allocator
from tests.facts import sample
from tests.story.network.conftest import Answer, Cloud


def test_a_project_has_a_default_group_from_the_first_look_on(cloud: Cloud) -> None:
    (default,) = cloud.p1.get("/security-groups")["security_groups"]
    documented = sample("network", "security-groups/security-group-show-response.json")["security_group"]
    assert set(documented) <= set(default)
    assert set(documented["security_group_rules"][0]) <= set(default["security_group_rules"][0])
    assert (default["name"], len(default["security_group_rules"])) == ("default", 4)
    assert cloud.p1.get("/security-groups")["security_groups"] == [default]
    assert (
        cloud.p1.refused("DELETE", f"/security-groups/{default['id']}", expect=409)[0]
        == "SecurityGroupCannotRemoveDefault"
    )
    body = {"security_group": {"name": "other"}}
    kind, _ = cloud.p1.refused("PUT", f"/security-groups/{default['id']}", body, expect=409)
    assert kind == "SecurityGroupCannotUpdateDefault"
    assert cloud.p1.refused_make("security_group", expect=409, name="default")[0] == "SecurityGroupDefaultAlreadyExists"
    assert cloud.p1.change("security_group", default["id"], description="mine")["description"] == "mine"


def test_a_group_is_made_changed_and_deleted(cloud: Cloud) -> None:
    made = cloud.p1.make("security_group", name="web", description="80")
    rules = {(one["direction"], one["ethertype"]) for one in made["security_group_rules"]}
    assert rules == {("egress", "IPv4"), ("egress", "IPv6")}
    assert cloud.p1.change("security_group", made["id"], name="www")["name"] == "www"
    assert cloud.p1.get("/security-groups?name=www")["security_groups"][0]["id"] == made["id"]
    for way, body in (("GET", None), ("PUT", {"security_group": {"name": "x"}}), ("DELETE", None)):
        assert cloud.p2.refused(way, f"/security-groups/{made['id']}", body, expect=404)[0] == "SecurityGroupNotFound"
    cloud.p1.delete("security_group", made["id"])
    cloud.p1.refused("GET", f"/security-groups/{made['id']}", expect=404)
    assert "stateful" in cloud.p1.refused_make("security_group", expect=400, name="x", stateful=False)[1]


def test_a_group_with_ports_stays(cloud: Cloud) -> None:
    group = cloud.p1.make("security_group", name="web")
    network = cloud.p1.make("network")
    cloud.p1.make("port", network_id=network["id"], security_groups=[group["id"]])
    assert cloud.p1.refused("DELETE", f"/security-groups/{group['id']}", expect=409)[0] == "SecurityGroupInUse"


def test_a_rule_has_the_documented_attributes_and_comes_once(cloud: Cloud) -> None:
    group = cloud.p1.make("security_group", name="web")
    fields = {
        "security_group_id": group["id"], "direction": "ingress", "protocol": "TCP", "port_range_min": "80",
        "port_range_max": "80", "remote_ip_prefix": "10.1.2.3/8",
    }  # fmt: skip
    made = cloud.p1.make("security_group_rule", **fields)
    documented = sample("network", "security-groups/security-group-rule-show-response.json")["security_group_rule"]
    assert set(documented) <= set(made)
    assert (made["protocol"], made["port_range_min"], made["remote_ip_prefix"]) == ("tcp", 80, "10.0.0.0/8")
    for again in ({}, {"protocol": "6"}, {"remote_ip_prefix": "10.0.0.0/8"}, {"ethertype": "ipv4"}):
        kind, message = cloud.p1.refused_make("security_group_rule", expect=409, **(fields | again))
        assert (kind, made["id"] in message) == ("SecurityGroupRuleExists", True)
    assert cloud.p1.get(f"/security-group-rules?security_group_id={group['id']}&direction=ingress")[
        "security_group_rules"
    ] == [made]
    cloud.p2.refused("GET", f"/security-group-rules/{made['id']}", expect=404)
    cloud.p1.delete("security_group_rule", made["id"])
    cloud.p1.refused("GET", f"/security-group-rules/{made['id']}", expect=404)


@pytest.mark.parametrize(
    ("fields", "status", "kind"),
    [
        ({"direction": "sideways"}, 400, "BadRequest"),
        ({"ethertype": "IPX"}, 400, "BadRequest"),
        ({"protocol": "quic"}, 400, "SecurityGroupRuleInvalidProtocol"),
        ({"protocol": "256"}, 400, "SecurityGroupRuleInvalidProtocol"),
        ({"protocol": "ipv6-icmp"}, 400, "SecurityGroupEthertypeConflictWithProtocol"),
        ({"port_range_min": 80, "port_range_max": 80}, 400, "SecurityGroupProtocolRequiredWithPorts"),
        ({"protocol": "tcp", "port_range_min": 90, "port_range_max": 80}, 400, "SecurityGroupInvalidPortRange"),
        ({"protocol": "tcp", "port_range_min": 1, "port_range_max": 65536}, 400, "SecurityGroupInvalidPortRange"),
        ({"protocol": "tcp", "port_range_min": 80}, 400, "SecurityGroupInvalidPortRange"),
        ({"protocol": "gre", "port_range_min": 1, "port_range_max": 2}, 400, "SecurityGroupInvalidPortRange"),
        ({"protocol": "icmp", "port_range_min": 256}, 400, "SecurityGroupInvalidIcmpValue"),
        ({"protocol": "icmp", "port_range_max": 1}, 400, "SecurityGroupMissingIcmpType"),
        ({"remote_ip_prefix": "fd00::/64"}, 400, "SecurityGroupRuleParameterConflict"),
        ({"remote_ip_prefix": "x"}, 400, "BadRequest"),
        ({"remote_group_id": "nowhere"}, 404, "SecurityGroupNotFound"),
        ({"security_group_id": "nowhere"}, 404, "SecurityGroupNotFound"),
        ({"remote_address_group_id": "some"}, 400, "InvalidInput"),
        ({"port_range_min": "many"}, 400, "BadRequest"),
    ],
)
def test_bad_rules_are_refused_as_neutron_does(cloud: Cloud, fields: dict[str, object], status: int, kind: str) -> None:
    group = cloud.p1.make("security_group", name="web")
    whole = {"security_group_id": group["id"], "direction": "ingress"} | fields
    assert cloud.p1.refused_make("security_group_rule", expect=status, **whole)[0] == kind


def test_a_rule_has_one_kind_of_remote(cloud: Cloud) -> None:
    group = cloud.p1.make("security_group", name="web")
    fields = {"security_group_id": group["id"], "direction": "ingress", "remote_ip_prefix": "10.0.0.0/8"}
    kind, _ = cloud.p1.refused_make("security_group_rule", expect=400, **fields, remote_group_id=group["id"])
    assert kind == "SecurityGroupRemoteGroupAndRemoteIpPrefix"


def test_rules_are_added_in_bulk_or_not_at_all(cloud: Cloud) -> None:
    group = cloud.p1.make("security_group", name="web")
    rule = {"security_group_id": group["id"], "direction": "ingress", "protocol": "tcp"}
    several = [rule | {"port_range_min": port, "port_range_max": port} for port in (80, 443)]
    path = "/security-group-rules"
    assert len(cloud.p1("POST", path, {"security_group_rules": several}, expect=201)["security_group_rules"]) == 2
    more = [rule | {"port_range_min": port, "port_range_max": port} for port in (8080, 443)]
    cloud.p1.refused("POST", path, {"security_group_rules": more}, expect=409)
    assert len(cloud.p1.get(f"/security-groups/{group['id']}")["security_group"]["security_group_rules"]) == 4


def test_hosts_are_told_of_rules_and_networks_by_what_they_follow(cloud: Cloud) -> None:
    network = cloud.p1.make("network")
    cloud.p1.make("subnet", network_id=network["id"], cidr="10.0.0.0/24", ip_version=4)
    web, database = (cloud.p1.make("security_group", name=name) for name in ("web", "db"))
    cloud.p1.make(
        "security_group_rule", security_group_id=database["id"], direction="ingress", remote_group_id=web["id"]
    )
    with cloud.database.write() as tx:
        for host, group in (("h1", web), ("h2", database)):
            server = cloud.server(tx, host)
            nics = [NicRequest(network_id=network["id"])]
            Allocator(tx, cloud.ids, cloud.clock.now()).allocate(server, nics, [group["id"]])
    cloud.told()
    cloud.p1.make("security_group_rule", security_group_id=database["id"], direction="ingress", protocol="tcp")
    assert cloud.told() == [f"share.{database['id']}"]
    rule = cloud.p1.make("security_group_rule", security_group_id=web["id"], direction="ingress", protocol="tcp")
    of_web, of_network = f"share.{web['id']}", f"share.{network['id']}"
    assert cloud.told() == [of_web]
    assert rule["id"] in {one.id for one in cloud.bus.changes[of_web].rules or ()}
    cloud.p1.delete("security_group_rule", rule["id"])
    cloud.p1.change("network", network["id"], mtu=1400, admin_state_up=False)
    assert cloud.told() == [of_network, of_web]
    whole = cloud.bus.changes[of_network].network
    assert whole is not None
    assert (whole.mtu, whole.admin_up) == (1400, False)
    assert rule["id"] not in {one.id for one in cloud.bus.changes[of_web].rules or ()}
    assert cloud.told() == []


def test_a_group_that_goes_takes_the_rules_that_name_it_along(cloud: Cloud) -> None:
    web, database = (cloud.p1.make("security_group", name=name) for name in ("web", "db"))
    rule = cloud.p1.make(
        "security_group_rule", security_group_id=database["id"], direction="ingress", remote_group_id=web["id"]
    )
    cloud.told()
    cloud.p1.delete("security_group", web["id"])
    assert cloud.told() == [f"share.{database['id']}"]
    assert rule["id"] not in {one.id for one in cloud.bus.changes[f"share.{database['id']}"].rules or ()}


def test_members_that_come_move_and_go_are_told_one_by_one(cloud: Cloud) -> None:
    network = cloud.p1.make("network")
    cloud.p1.make("subnet", network_id=network["id"], cidr="10.0.0.0/24", ip_version=4)
    web, database = (cloud.p1.make("security_group", name=name) for name in ("web", "db"))
    cloud.told()

    def told(group: Answer) -> tuple[Any, Any]:
        change = cloud.bus.changes[f"share.{group['id']}"]
        return change.come.get(network["id"]), change.gone.get(network["id"])

    for number in (2, 3):
        port = cloud.p1.make("port", network_id=network["id"], security_groups=[web["id"]])
        assert port["fixed_ips"][0]["ip_address"] == f"10.0.0.{number}"
    assert cloud.told() == [f"share.{web['id']}"]
    assert told(web) == (("10.0.0.2", "10.0.0.3"), None)
    cloud.p1.change("port", port["id"], security_groups=[database["id"]])
    assert set(cloud.told()) == {f"share.{web['id']}", f"share.{database['id']}"}
    assert (told(web), told(database)) == ((None, ("10.0.0.3",)), (("10.0.0.3",), None))
    cloud.p1.delete("port", port["id"])
    cloud.told()
    assert told(database) == (None, ("10.0.0.3",))


def test_the_quotas_of_groups_and_rules_are_kept(cloud: Cloud) -> None:
    cloud.admin("PUT", "/quotas/p1", {"quota": {"security_group": 2, "security_group_rule": 7}}, expect=200)
    group = cloud.p1.make("security_group", name="web")
    assert cloud.p1.refused_make("security_group", expect=409, name="more")[0] == "OverQuota"
    rule = {"security_group_id": group["id"], "direction": "ingress", "protocol": "tcp"}
    cloud.p1.make("security_group_rule", **rule)
    assert cloud.p1.refused_make("security_group_rule", expect=409, **(rule | {"protocol": "udp"}))[0] == "OverQuota"
