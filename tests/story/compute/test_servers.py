"""Booting, changing and deleting servers, and what is refused on the way."""

from __future__ import annotations

from typing import Any

import pytest

from kilonova.domain.image import ImageStatus
from kilonova.domain.saga import LIVE, about_server
from kilonova.domain.server import Intent
from kilonova.store.queries import quotas, sagas, server_facts
from tests.fakes.auth import ADMIN, MEMBER_A, MEMBER_B, OTHER_MEMBER_A, PROJECT_A
from tests.fakes.images import TINY, image
from tests.story.compute.cloud import HOST, ZONE, Cloud

V = "2.104"


def wanted(**changes: Any) -> dict[str, Any]:
    sent = {"name": "one", "flavorRef": "1", "imageRef": TINY, "networks": "auto", **changes}
    return {"server": {key: value for key, value in sent.items() if value is not ...}}


def refused(cloud: Cloud, status: int, version: str = V, token: str = MEMBER_A, **changes: Any) -> str:
    body = cloud.call("POST", "/servers", wanted(**changes), version=version, token=token, status=status)
    with cloud.database.read() as tx:
        assert quotas.used(tx, PROJECT_A).get("instances", 0) == 0
    assert cloud.call("GET", "/servers", token=ADMIN, status=200, version=V)["servers"] == []
    ((_, said),) = body.items()
    return str(said["message"])


def used(cloud: Cloud) -> dict[str, int]:
    with cloud.database.read() as tx:
        return quotas.used(tx, PROJECT_A)


def test_a_boot_writes_the_server_its_use_and_its_saga_at_once(cloud: Cloud) -> None:
    answer = cloud.call("POST", "/servers", wanted(name="My web", tags=["a"]), version=V)
    created = answer.json()["server"]
    assert answer.headers["Location"] == created["links"][0]["href"]
    shown = cloud.call("GET", f"/servers/{created['id']}", version=V, status=200)["server"]
    assert (shown["status"], shown["OS-EXT-STS:task_state"], shown["OS-EXT-STS:vm_state"]) == (
        "BUILD",
        "scheduling",
        "building",
    )
    assert (shown["OS-EXT-SRV-ATTR:hostname"], shown["tags"], shown["hostId"]) == ("my-web", ["a"], "")
    assert len(created["adminPass"]) == 12
    assert used(cloud) == {"instances": 1, "cores": 1, "ram": 512}
    with cloud.database.read() as tx:
        (saga,) = sagas.of_subject(tx, about_server(created["id"]))
    assert (saga.kind, saga.status in LIVE, saga.request_id) == ("boot", True, answer.headers["X-Openstack-Request-Id"])


def test_several_are_numbered_and_share_a_reservation(cloud: Cloud) -> None:
    body = wanted(name="web", min_count=2, max_count="3", return_reservation_id=True)
    reservation = cloud.call("POST", "/servers", body, version=V, status=202)["reservation_id"]
    found = cloud.call(
        "GET", f"/servers/detail?reservation_id={reservation}&sort_key=launch_index&sort_dir=asc", version=V, status=200
    )
    assert [one["name"] for one in found["servers"]] == ["web-1", "web-2", "web-3"]
    assert [one["OS-EXT-SRV-ATTR:hostname"] for one in found["servers"]] == ["web-1", "web-2", "web-3"]


def test_as_many_as_the_quota_leaves_and_not_fewer_than_asked(cloud: Cloud) -> None:
    cloud.call("PUT", f"/os-quota-sets/{PROJECT_A}", {"quota_set": {"cores": 3}}, token=ADMIN, status=200)
    cloud.call("POST", "/servers", wanted(min_count=1, max_count=9), version=V, status=202)
    assert used(cloud)["instances"] == 3
    said = cloud.call("POST", "/servers", wanted(), version=V, status=403)["forbidden"]["message"]
    assert said == "Quota exceeded for cores: requested 1, but already used 3 of 3 cores"
    assert used(cloud) == {"instances": 3, "cores": 3, "ram": 3 * 512}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"imageRef": "0" * 8 + "-0000-4000-8000-" + "0" * 12}, "Invalid imageRef provided."),
        ({"imageRef": "no-uuid"}, "Invalid input for server.imageRef"),
        ({"imageRef": ""}, "Invalid imageRef provided"),
        ({"flavorRef": "77"}, "Flavor 77 could not be found."),
        ({"key_name": "none"}, "Invalid key_name provided."),
        ({"min_count": 3, "max_count": 2}, "min_count must be <= max_count"),
        ({"availability_zone": "moon"}, "The requested availability zone is not available"),
        ({"security_groups": [{"name": "none"}]}, "Security group none not found"),
        ({"networks": [{"uuid": TINY}]}, f"Network {TINY} could not be found"),
        ({"networks": [{}]}, "server.networks[0]: name a network"),
        ({"networks": [{"port": TINY, "fixed_ip": "10.0.0.9"}]}, "cannot be specified together"),
        ({"networks": ...}, "server.networks: is a required property"),
        ({"name": " x"}, "leading or trailing whitespace"),
        ({"name": ""}, "server.name"),
        ({"user_data": "not base64!"}, "Invalid input for server.user_data"),
        ({"user_data": "A" * 65536}, "Invalid input for server.user_data"),
        ({"tags": ["a,b"]}, "Invalid input for server.tags[0]"),
        ({"metadata": {"k": "x" * 256}}, "Invalid input for server.metadata"),
        ({"hostname": "a_b!"}, "Invalid input for server.hostname"),
        ({"accessIPv4": "::1"}, "is not an IPv4 address"),
        ({"colour": "red"}, "server.colour: additional properties are not allowed"),
        ({"block_device_mapping_v2": [{"source_type": "volume", "uuid": TINY}]}, "block storage service is not enabled"),
        ({"block_device_mapping": [{"volume_id": TINY}]}, "block storage service is not enabled"),
    ],
)  # fmt: skip
def test_a_wrong_request_is_told_what_is_wrong_and_leaves_nothing(
    cloud: Cloud, changes: dict[str, Any], message: str
) -> None:
    assert message in refused(cloud, 400, **changes)


def test_limits_of_metadata_and_files_are_quotas(cloud: Cloud) -> None:
    assert "metadata_items" in refused(cloud, 403, metadata={f"k{i}": "v" for i in range(129)})
    files = [{"path": f"/f{i}", "contents": "aGk="} for i in range(6)]
    assert "injected_files" in refused(cloud, 403, version="2.56", personality=files)
    too_long = [{"path": "/" + "f" * 255, "contents": "aGk="}]
    assert "injected_file_path_bytes" in refused(cloud, 403, version="2.56", personality=too_long)


def test_an_image_that_is_not_ready_is_refused(cloud: Cloud) -> None:
    cloud.images.known[TINY] = image(status=ImageStatus.QUEUED)
    assert "is not active" in refused(cloud, 400)


def test_naming_a_host_is_an_administrators_right(cloud: Cloud) -> None:
    assert "forced_host" in refused(cloud, 403, availability_zone=f"{ZONE}:{HOST}")
    assert "requested_destination" in refused(cloud, 403, host=HOST)
    assert "could not be found" in refused(cloud, 400, token=ADMIN, availability_zone=f"{ZONE}:moon")
    for change in ({"availability_zone": f"{ZONE}:{HOST}:{HOST}"}, {"host": HOST}, {"hypervisor_hostname": HOST}):
        cloud.call("POST", "/servers", wanted(**change), token=ADMIN, version=V, status=202)
    with cloud.database.read() as tx:
        assert all(f'"forced_host":"{HOST}"'.encode() in bytes(saga.params) for saga in sagas.live(tx))


def test_before_2_19_the_description_is_the_name(cloud: Cloud) -> None:
    body = wanted(name="told", networks=...)
    ident = cloud.call("POST", "/servers", body, version="2.18", status=202)["server"]["id"]
    assert cloud.call("GET", f"/servers/{ident}", version=V, status=200)["server"]["description"] == "told"
    later = cloud.call("POST", "/servers", wanted(), version="2.19", status=400)
    assert "networks" in later["badRequest"]["message"]


def test_a_key_is_the_users_own_and_its_text_is_kept(cloud: Cloud) -> None:
    pair = cloud.call("POST", "/os-keypairs", {"keypair": {"name": "mine"}}, version="2.10", status=201)["keypair"]
    assert "Invalid key_name" in refused(cloud, 400, token=OTHER_MEMBER_A, key_name="mine")
    ident = cloud.call("POST", "/servers", wanted(key_name="mine"), version=V, status=202)["server"]["id"]
    cloud.call("DELETE", "/os-keypairs/mine", version="2.10", status=204)
    with cloud.database.read() as tx:
        assert server_facts.get(tx, ident).key_public == pair["public_key"]


def test_hints_are_checked_kept_and_shown(cloud: Cloud) -> None:
    other = cloud.boot()
    body = {**wanted(), "os:scheduler_hints": {"same_host": other, "query": [">=", "$free_ram_mb", 1], "mine": 7}}
    said = cloud.call("POST", "/servers", body, version=V, status=400)
    assert "os:scheduler_hints.query" in said["badRequest"]["message"]
    body["os:scheduler_hints"]["query"] = '[">=", "$free_ram_mb", 1]'
    ident = cloud.call("POST", "/servers", body, version=V, status=202)["server"]["id"]
    shown = cloud.call("GET", f"/servers/{ident}", version=V, status=200)["server"]["scheduler_hints"]
    assert shown == {"same_host": [other], "query": '[">=", "$free_ram_mb", 1]', "mine": "7"}


def test_a_delete_stops_the_boot_and_waits_behind_it(cloud: Cloud) -> None:
    ident = cloud.boot(active=False)
    cloud.call("DELETE", f"/servers/{ident}", status=204)
    cloud.call("DELETE", f"/servers/{ident}", status=204)
    with cloud.database.read() as tx:
        kinds = {saga.kind: saga for saga in sagas.of_subject(tx, about_server(ident))}
        assert server_facts.get(tx, ident).intent is Intent.DELETED
    assert (kinds["boot"].cancel, kinds["delete"].status, len(kinds)) == (True, "queued", 2)


def test_a_deleted_server_is_gone_but_for_its_timeline(cloud: Cloud) -> None:
    ident = cloud.boot()
    cloud.call("DELETE", f"/servers/{ident}", status=204)
    assert cloud.call("GET", f"/servers/{ident}", status=200)["server"]["OS-EXT-STS:task_state"] == "deleting"
    cloud.forget(ident)
    assert used(cloud) == {"instances": 0, "cores": 0, "ram": 0}
    cloud.call("DELETE", f"/servers/{ident}", status=404)
    cloud.call("GET", f"/servers/{ident}", status=404)
    cloud.call("GET", f"/servers/{ident}/os-instance-actions", version="2.20", status=404)
    told = cloud.call("GET", f"/servers/{ident}/os-instance-actions", version="2.21", status=200)["instanceActions"]
    assert [one["action"] for one in told] == ["delete", "create"]
    assert cloud.call("GET", "/servers", version=V, status=200)["servers"] == []
    recent = cloud.call("GET", "/servers/detail?changes-since=2020-01-01T00:00:00Z", version=V, status=200)["servers"]
    assert [one["status"] for one in recent] == ["DELETED"]


def test_a_locked_server_is_only_touched_by_who_may(cloud: Cloud) -> None:
    ident = cloud.boot()
    cloud.call("POST", f"/servers/{ident}/action", {"lock": {"locked_reason": "mine"}}, version="2.73", status=202)
    shown = cloud.call("GET", f"/servers/{ident}", version="2.73", status=200)["server"]
    assert (shown["locked"], shown["locked_reason"]) == (True, "mine")
    said = cloud.call("DELETE", f"/servers/{ident}", status=409)["conflictingRequest"]["message"]
    assert f"Instance {ident} is locked" in said
    cloud.call("POST", f"/servers/{ident}/metadata", {"metadata": {"a": "b"}}, status=409)
    assert len(cloud.call("GET", "/servers?locked=true", version="2.73", status=200)["servers"]) == 1
    cloud.call("POST", f"/servers/{ident}/action", {"unlock": None}, status=202)
    cloud.call("POST", f"/servers/{ident}/action", {"lock": None}, token=ADMIN, status=202)
    cloud.call("POST", f"/servers/{ident}/action", {"lock": None}, status=202)
    cloud.call("POST", f"/servers/{ident}/action", {"unlock": None}, status=403)
    cloud.call("DELETE", f"/servers/{ident}", token=ADMIN, status=204)
    told = cloud.call("GET", f"/servers/{ident}/os-instance-actions", status=200)["instanceActions"]
    assert [one["action"] for one in told] == ["delete", "lock", "unlock", "lock", "create"]


def test_an_update_changes_what_it_names_and_nothing_else(cloud: Cloud) -> None:
    ident = cloud.boot(description="old", accessIPv4="1.2.3.4")
    answer = cloud.call(
        "PUT", f"/servers/{ident}", {"server": {"name": "new", "accessIPv4": ""}}, version="2.90", status=200
    )
    assert (answer["server"]["name"], answer["server"]["accessIPv4"], answer["server"]["description"]) == (
        "new",
        "",
        "old",
    )
    pin = {"server": {"pinned_availability_zone": ZONE}}
    assert (
        cloud.call("PUT", f"/servers/{ident}", pin, version=V, status=200)["server"]["pinned_availability_zone"] == ZONE
    )
    cloud.call("PUT", f"/servers/{ident}", {"server": {"pinned_availability_zone": "moon"}}, version=V, status=409)
    unpinned = cloud.call(
        "PUT", f"/servers/{ident}", {"server": {"pinned_availability_zone": None}}, version=V, status=200
    )
    assert unpinned["server"]["pinned_availability_zone"] is None
    cloud.call("PUT", f"/servers/{ident}", pin, version="2.103", status=400)


def test_metadata_is_merged_replaced_and_dropped(cloud: Cloud) -> None:
    ident = cloud.boot(metadata={"a": "1"})
    at = f"/servers/{ident}/metadata"
    assert cloud.call("POST", at, {"metadata": {"b": "2"}}, status=200)["metadata"] == {"a": "1", "b": "2"}
    assert cloud.call("PUT", f"{at}/b", {"meta": {"b": "3"}}, status=200)["meta"] == {"b": "3"}
    cloud.call("PUT", f"{at}/b", {"meta": {"c": "3"}}, status=400)
    cloud.call("DELETE", f"{at}/a", status=204)
    cloud.call("DELETE", f"{at}/a", status=404)
    assert cloud.call("GET", f"{at}/b", status=200)["meta"] == {"b": "3"}
    cloud.call("GET", f"{at}/a", status=404)
    assert cloud.call("PUT", at, {"metadata": {}}, status=200)["metadata"] == {}
    cloud.call("POST", at, {"metadata": {f"k{i}": "v" for i in range(129)}}, status=403)
    building = cloud.boot(active=False)
    cloud.call("POST", f"/servers/{building}/metadata", {"metadata": {"a": "b"}}, status=409)


def test_tags_come_and_go_and_find_servers(cloud: Cloud) -> None:
    ident = cloud.boot()
    at = f"/servers/{ident}/tags"
    assert [cloud.call("PUT", f"{at}/a", version="2.26").status_code for _ in range(2)] == [201, 204]
    cloud.call("PUT", f"{at}/{'x' * 61}", version="2.26", status=400)
    assert cloud.call("PUT", at, {"tags": ["b", "c", "b"]}, version="2.26", status=200)["tags"] == ["b", "c"]
    cloud.call("GET", f"{at}/b", version="2.26", status=204)
    cloud.call("GET", f"{at}/a", version="2.26", status=404)
    for query, count in (
        ("tags=b,c", 1),
        ("tags=b,z", 0),
        ("tags-any=z,c", 1),
        ("not-tags=b,c", 0),
        ("not-tags-any=z", 1),
    ):
        assert len(cloud.call("GET", f"/servers?{query}", version="2.26", status=200)["servers"]) == count
    cloud.call("DELETE", f"{at}/b", version="2.26", status=204)
    cloud.call("DELETE", f"{at}/b", version="2.26", status=404)
    cloud.call("DELETE", at, version="2.26", status=204)
    assert cloud.call("GET", at, version="2.26", status=200)["tags"] == []


def test_a_console_is_read_from_the_host_that_has_it(cloud: Cloud) -> None:
    building, running = cloud.boot(active=False), cloud.boot()
    cloud.call("POST", f"/servers/{building}/action", {"os-getConsoleOutput": {}}, status=409)
    cloud.call("POST", f"/servers/{running}/action", {"os-getConsoleOutput": {"length": "5"}}, status=503)
    unknown = cloud.call("POST", f"/servers/{running}/action", {"dance": {}}, status=400)
    assert "There is no such action: dance" in unknown["badRequest"]["message"]


def test_an_operator_declares_a_state(cloud: Cloud) -> None:
    ident = cloud.boot()
    for state, status in (("error", "ERROR"), ("active", "ACTIVE")):
        cloud.call("POST", f"/servers/{ident}/action", {"os-resetState": {"state": state}}, token=ADMIN, status=202)
        assert cloud.call("GET", f"/servers/{ident}", status=200)["server"]["status"] == status
    building = cloud.boot(active=False)
    cloud.call("POST", f"/servers/{building}/action", {"os-resetState": {"state": "error"}}, token=ADMIN, status=409)


def test_another_projects_image_is_no_image(cloud: Cloud) -> None:
    cloud.images.known[TINY] = image(visibility="private", owner=PROJECT_A)
    cloud.call("POST", "/servers", wanted(), token=MEMBER_B, version=V, status=400)
    cloud.call("POST", "/servers", wanted(), version=V, status=202)
