"""Two tenants in one cloud: the other's ids in every position of a request, and never a leak."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.story.hostile.things import KEY, WORD, Things, own
from tests.story.hostile.world import World


@pytest.fixture(scope="module")
def theirs(cloud: World) -> Things:
    return own(cloud, cloud.a)


@pytest.fixture(scope="module")
def mine(cloud: World) -> str:
    """An image of b's."""
    return cloud.b.image(name="mine")


def test_a_server_is_not_made_of_anothers_parts(cloud: World, theirs: Things, mine: str) -> None:
    ids = theirs.ids
    tries: list[dict[str, Any]] = [
        {"imageRef": ids["image_id"]}, {"flavorRef": WORD}, {"key_name": WORD}, {"networks": [{"uuid": ids["network_id"]}]},
        {"networks": [{"port": ids["port_id"]}]}, {"networks": "auto", "security_groups": [{"name": ids["group_id"]}]},
        {"networks": "auto", "security_groups": [{"name": WORD}]},
        {"imageRef": "", "block_device_mapping_v2":
         [{"uuid": ids["image_id"], "source_type": "image", "destination_type": "local", "boot_index": 0}]},
    ]  # fmt: skip
    for wish in tries:
        answer = cloud.b.boot(mine, **wish)
        assert answer.status_code in (400, 404), (wish, answer.text)
        known = [ident for ident in ids.values() if ident in answer.text and ident not in json.dumps(wish)]
        assert not known, answer.text
    assert cloud.b.ok("GET", "compute /servers")["servers"] == []


def test_a_hint_does_not_tell_where_anothers_server_is(cloud: World, theirs: Things, mine: str) -> None:
    for hint in ("same_host", "different_host"):
        told = set()
        for ident in (theirs.ids["server_id"], "11111111-2222-4333-8444-555555555555"):
            body = {
                "server": {"name": "x", "flavorRef": "1", "imageRef": mine, "networks": "none"},
                "os:scheduler_hints": {hint: ident},
            }
            told.add(cloud.b.refused(400, "POST", "compute /servers", body).replace(ident, "ID"))
        assert len(told) == 1


def test_network_things_do_not_join_anothers(cloud: World, theirs: Things) -> None:
    ids, b = theirs.ids, cloud.b
    group = b.make("security_group", name="mine")["id"]
    network = b.make("network", name="mine")["id"]
    port = b.make("port", network_id=network)["id"]
    wishes: list[tuple[str, str, dict[str, Any]]] = [
        ("POST", "/security-group-rules",
         {"security_group_rule": {"security_group_id": ids["group_id"], "direction": "ingress"}}),
        ("POST", "/security-group-rules",
         {"security_group_rule": {"security_group_id": group, "direction": "ingress", "remote_group_id": ids["group_id"]}}),
        ("POST", "/security-group-rules",
         {"security_group_rule": {"security_group_id": group, "direction": "ingress", "project_id": cloud.a.project_id}}),
        ("POST", "/ports", {"port": {"network_id": ids["network_id"]}}),
        ("POST", "/ports", {"port": {"network_id": network, "security_groups": [ids["group_id"]]}}),
        ("POST", "/ports", {"port": {"network_id": network, "fixed_ips": [{"subnet_id": ids["subnet_id"]}]}}),
        ("POST", "/ports", {"port": {"network_id": network, "project_id": cloud.a.project_id}}),
        ("POST", "/networks", {"network": {"name": "x", "tenant_id": cloud.a.project_id}}),
        ("POST", "/networks", {"network": {"name": "x", "shared": True}}),
        ("POST", "/subnets", {"subnet": {"network_id": ids["network_id"], "cidr": "10.78.0.0/24", "ip_version": 4}}),
        ("POST", "/security-groups", {"security_group": {"name": "x", "project_id": cloud.a.project_id}}),
        ("PUT", f"/ports/{port}", {"port": {"security_groups": [ids["group_id"]]}}),
        ("PUT", f"/ports/{port}", {"port": {"fixed_ips": [{"subnet_id": ids["subnet_id"]}]}}),
        ("PUT", f"/ports/{port}", {"port": {"binding:host_id": "sim-1"}}),
        ("PUT", f"/ports/{port}", {"port": {"device_owner": "compute:nova"}}),
        ("PUT", f"/networks/{network}", {"network": {"shared": True}}),
    ]  # fmt: skip
    for method, path, body in wishes:
        answer = b.send(method, f"network {path}", body)
        assert answer.status_code in (400, 403, 404, 409), (path, body, answer.status_code, answer.text)
        assert WORD not in answer.text


def test_a_port_that_claims_anothers_server_does_not_reach_it(cloud: World, theirs: Things) -> None:
    network = cloud.b.make("network", name="bait")["id"]
    cloud.b.make("subnet", network_id=network, cidr="10.79.0.0/24", ip_version=4)
    before = theirs.look()
    planted = 0
    for device_owner in (
        "",
        "Compute:nova",
        "COMPUTE:",
        "compute\u200b:nova",
        "network:dhcp",
        " compute:nova",
        "compute:nova",
    ):
        body = {"network_id": network, "device_id": theirs.ids["server_id"], "device_owner": device_owner}
        planted += cloud.b.send("POST", "network /ports", {"port": body}).status_code == 201
        assert theirs.look() == before, device_owner
    assert planted >= 3  # as text that is shown, and no more
    assert "10.79.0" not in json.dumps(cloud.a.ok("GET", f"compute /servers/{theirs.ids['server_id']}/ips"))
    server = cloud.a.ok("GET", f"compute /servers/{theirs.ids['server_id']}")["server"]
    assert "bait" not in json.dumps(server)
    for by in ("ip=10.79.0", "ip=10\\.79"):
        assert cloud.a.ok("GET", f"compute /servers?{by}")["servers"] == [], by


def test_sharing_an_image_shows_that_image_and_no_more(cloud: World, theirs: Things) -> None:
    shared = cloud.a.image(name="for b", visibility="shared")
    way = f"image /images/{shared}"
    cloud.b.refused(404, "GET", way)
    cloud.a.ok("POST", f"{way}/members", {"member": cloud.b.project_id})
    assert cloud.b.ok("GET", way)["id"] == shared
    assert shared not in json.dumps(cloud.b.ok("GET", "image /images"))
    cloud.b.refused((403, 404), "DELETE", way)
    cloud.b.refused((403, 404), "POST", f"{way}/members", {"member": cloud.b.project_id})
    patch = json.dumps([{"op": "replace", "path": "/name", "value": "taken"}]).encode()
    media = {"Content-Type": "application/openstack-images-v2.1-json-patch"}
    cloud.b.refused((403, 404), "PATCH", way, patch, headers=media)
    cloud.b.refused((403, 404), "PUT", f"{way}/file", b"other", headers={"Content-Type": "application/octet-stream"})
    cloud.a.refused((403, 404), "PUT", f"{way}/members/{cloud.b.project_id}", {"status": "accepted"})
    cloud.b.ok("PUT", f"{way}/members/{cloud.b.project_id}", {"status": "accepted"})
    assert shared in json.dumps(cloud.b.ok("GET", "image /images"))
    cloud.a.ok("DELETE", f"{way}/members/{cloud.b.project_id}")
    cloud.b.refused(404, "GET", f"{way}/file")


def test_only_the_admin_makes_an_image_public(cloud: World) -> None:
    cloud.b.refused(403, "POST", "image /images", {"name": "x", "visibility": "public"})
    cloud.b.refused(403, "POST", "image /images", {"name": "x", "owner": cloud.a.project_id})


def test_a_community_image_is_found_by_who_asks_for_it_and_changed_by_its_owner_alone(cloud: World) -> None:
    ident = cloud.a.image(name="commons", visibility="community")
    assert ident not in json.dumps(cloud.b.ok("GET", "image /images"))
    assert cloud.b.ok("GET", f"image /images/{ident}")["visibility"] == "community"
    cloud.b.refused(403, "DELETE", f"image /images/{ident}")


def test_key_pairs_and_credentials_belong_to_their_user(cloud: World, theirs: Things) -> None:
    a, b = cloud.a, cloud.b
    b.refused(403, "GET", f"compute /os-keypairs?user_id={a.user_id}")
    b.refused((403, 404), "GET", f"compute /os-keypairs/{WORD}?user_id={a.user_id}")
    b.refused((403, 404), "DELETE", f"compute /os-keypairs/{WORD}?user_id={a.user_id}")
    b.refused(
        403,
        "POST",
        "compute /os-keypairs",
        {"keypair": {"name": "x", "type": "ssh", "public_key": KEY, "user_id": a.user_id}},
    )
    credential = theirs.ids["application_credential_id"]
    for owner in (a.user_id, b.user_id):
        b.refused((403, 404), "GET", f"identity /users/{owner}/application_credentials/{credential}")
        b.refused((403, 404), "DELETE", f"identity /users/{owner}/application_credentials/{credential}")
    b.refused(
        403, "POST", f"identity /users/{a.user_id}/application_credentials", {"application_credential": {"name": "x"}}
    )


def test_what_only_admins_ask_is_refused_or_passed_over(cloud: World, theirs: Things) -> None:
    for query in ("all_tenants=1", "all_tenants=True", "all_tenants="):
        cloud.b.refused(403, "GET", f"compute /servers/detail?{query}")
    for query in (
        "deleted=true",
        f"tenant_id={cloud.a.project_id}",
        "host=sim-1",
        "status=deleted",
        f"uuid={theirs.ids['server_id']}",
    ):
        answer = cloud.b.send("GET", f"compute /servers/detail?{query}")
        assert answer.status_code in (400, 403) or WORD not in answer.text, (query, answer.text)
    cloud.b.refused(403, "GET", f"compute /limits?tenant_id={cloud.a.project_id}")
    cloud.b.refused(403, "GET", f"network /quotas/{cloud.a.project_id}")
    cloud.b.refused((400, 404), "GET", f"compute /servers?marker={theirs.ids['server_id']}")


def test_a_server_tells_its_owner_nothing_of_the_hosts(cloud: World, theirs: Things) -> None:
    shown = cloud.a.ok("GET", f"compute /servers/{theirs.ids['server_id']}")["server"]
    assert not {"OS-EXT-SRV-ATTR:host", "OS-EXT-SRV-ATTR:hypervisor_hostname", "OS-EXT-SRV-ATTR:user_data"} & set(shown)
    assert "sim-" not in json.dumps(shown)
    other = cloud.b.settled(cloud.b.booted(cloud.b.image()))
    assert other["hostId"] != shown["hostId"], "two projects could tell that they share a host"


def test_a_role_one_does_not_have_cannot_be_taken(cloud: World) -> None:
    b = cloud.b
    roles = {role["name"]: role["id"] for role in cloud.admin.ok("GET", "identity /roles")["roles"]}
    b.refused(403, "PUT", f"identity /projects/{b.project_id}/users/{b.user_id}/roles/{roles['admin']}")
    wish = {"application_credential": {"name": "more", "roles": [{"id": roles["admin"]}]}}
    b.refused((400, 403, 404), "POST", f"identity /users/{b.user_id}/application_credentials", wish)
    b.refused((401, 403), "PATCH", f"identity /users/{b.user_id}", {"user": {"default_project_id": cloud.a.project_id}})
    scope = {
        "auth": {
            "identity": {"methods": ["token"], "token": {"id": b.token}},
            "scope": {"project": {"id": cloud.a.project_id}},
        }
    }
    b.refused(401, "POST", "identity /auth/tokens", scope)
    b.refused((401, 403, 404), "GET", "identity /auth/tokens", headers={"X-Subject-Token": cloud.a.token})
    b.refused((401, 403, 404), "DELETE", "identity /auth/tokens", headers={"X-Subject-Token": cloud.a.token})


def test_in_the_end_nothing_is_left_over(cloud: World, theirs: Things) -> None:
    assert cloud.orphans() == {}
    assert WORD not in json.dumps(cloud.b.ok("GET", "network /ports")) + json.dumps(
        cloud.b.ok("GET", "compute /servers/detail")
    )
