"""Why a server is where it is, and where one would go: what its owner is told, an administrator, and a stranger."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.story.hostile.world import Person, World

HOSTS = ("sim-1", "sim-2")
HUGE = {"name": "huge", "id": "huge", "ram": 64, "vcpus": 1, "disk": 10**6}


@pytest.fixture(scope="module")
def image(cloud: World) -> str:
    cloud.admin.ok("POST", "compute /flavors", {"flavor": HUGE})
    return cloud.a.image()


def ask(person: Person, image: str, *, hints: Any = None, **fields: Any) -> Any:
    body = {"placement": {"flavorRef": "1", "imageRef": image, **fields}, "os:scheduler_hints": hints or {}}
    return person.ok("POST", "kilonova /placement", body)["placement"]


def kept(person: Person, server_id: str) -> Any:
    return person.ok("GET", f"kilonova /servers/{server_id}/placement")["placement"]


def names_no_host(document: Any) -> bool:
    return not any(name in json.dumps(document) for name in HOSTS)


def test_the_owner_is_told_why_and_an_administrator_where(cloud: World, image: str) -> None:
    server_id = cloud.a.booted(image)
    host = cloud.a.settled(server_id) and cloud.admin.ok("GET", f"compute /servers/{server_id}")["server"]
    told, all_of_it = kept(cloud.a, server_id), kept(cloud.admin, server_id)
    (decision,) = told["decisions"]
    assert (told["found"], decision["hosts"], decision["left"], decision["action"]) == (True, 2, 2, "create")
    assert [one["name"] for one in decision["filters"]][-2:] == ["ComputeCapabilitiesFilter", "ImagePropertiesFilter"]
    assert names_no_host(told)
    assert all_of_it["decisions"][0]["winner"]["host"] == host["OS-EXT-SRV-ATTR:host"]
    assert {one["host"] for one in all_of_it["decisions"][0]["best"]} == set(HOSTS)
    assert told["message"] == all_of_it["message"]
    cloud.b.refused(404, "GET", f"kilonova /servers/{server_id}/placement")


def test_what_is_kept_outlives_the_server(cloud: World, image: str) -> None:
    server_id = cloud.a.booted(image)
    cloud.a.settled(server_id)
    before = kept(cloud.a, server_id)
    cloud.a.ok("DELETE", f"compute /servers/{server_id}")
    assert cloud.a.settled(server_id) is None
    assert kept(cloud.a, server_id) == before


def test_a_question_and_a_boot_of_the_same_get_the_same_answer(cloud: World, image: str) -> None:
    asked = ask(cloud.a, image, flavorRef="huge")
    server_id = cloud.a.booted(image, flavorRef="huge")
    fault = cloud.a.settled(server_id)["fault"]["message"]
    answer = kept(cloud.a, server_id)
    assert asked["message"] == answer["message"] == fault
    assert asked["request"] == answer["request"]
    (would,), (was,) = asked["decisions"], answer["decisions"]
    assert {name: would[name] for name in was if name not in ("action", "decided_at")} == {
        name: was[name] for name in was if name not in ("action", "decided_at")
    }
    assert (asked["found"], asked["hosts"], would["nearest_miss"]["lacks"][-9:]) == (False, [], " GiB disk")
    assert ask(cloud.admin, image, flavorRef="huge")["decisions"][0]["nearest_miss"]["host"] in HOSTS


def test_several_are_placed_one_after_another_and_nothing_is_booked(cloud: World, image: str) -> None:
    group = cloud.a.ok(
        "POST", "compute /os-server-groups", {"server_group": {"name": "apart", "policy": "anti-affinity"}}
    )["server_group"]["id"]
    answer = ask(cloud.a, image, hints={"group": group}, count=2)
    assert (answer["found"], len(answer["hosts"]), len(answer["decisions"])) == (True, 2, 2)
    assert names_no_host(answer)
    answer = ask(cloud.a, image, hints={"group": group}, count=5)
    assert (answer["found"], len(answer["hosts"]), len(answer["decisions"])) == (False, 2, 3)
    assert "keeps its servers apart" in answer["message"]
    named = ask(cloud.admin, cloud.admin.image(visibility="public"), count=50)
    assert {one["host"] for one in named["hosts"]} == set(HOSTS)
    assert len(named["hosts"]) == 50
    assert cloud.a.ok("GET", "compute /limits")["limits"]["absolute"]["totalInstancesUsed"] <= 2
    assert cloud.orphans() == {}


@pytest.mark.parametrize(
    ("fields", "hints", "refusal"),
    [
        ({"flavorRef": "none"}, {}, (400, "Flavor none could not be found.")),
        ({"flavorRef": ""}, {}, (400, "placement.flavorRef")),
        ({"imageRef": "tiny"}, {}, (400, "placement.imageRef")),
        ({"imageRef": "11111111-2222-4333-8444-555555555555"}, {}, (400, "Invalid imageRef provided.")),
        ({"availability_zone": "mars"}, {}, (400, "GET /os-availability-zone")),
        ({"availability_zone": "nova:sim-1"}, {}, (403, "servers:create:forced_host")),
        ({"host": "sim-1"}, {}, (403, "requested_destination")),
        ({"count": 0}, {}, (400, "placement.count")),
        ({"count": 101}, {}, (400, "placement.count")),
        ({"name": "one"}, {}, (400, "placement.name")),
        ({}, {"group": "11111111-2222-4333-8444-555555555555"}, (400, "GET /os-server-groups")),
    ],
)
def test_a_wrong_question_is_refused_as_the_boot_would_be(
    cloud: World, image: str, fields: Any, hints: Any, refusal: tuple[int, str]
) -> None:
    body = {"placement": {"flavorRef": "1", "imageRef": image, **fields}, "os:scheduler_hints": hints}
    assert refusal[1] in cloud.a.refused(refusal[0], "POST", "kilonova /placement", body)


def test_nobody_can_ask_beside_whose_servers_his_own_are(cloud: World, image: str) -> None:
    server_id = cloud.a.booted(image)
    cloud.a.settled(server_id)
    assert ask(cloud.a, image, hints={"different_host": server_id})["request"]["hints"] == {
        "different_host": [server_id]
    }
    body, refusals = {"placement": {"flavorRef": "1", "imageRef": cloud.b.image()}}, set()
    for hint in ("same_host", "different_host"):
        for ident in (server_id, "11111111-2222-4333-8444-555555555555"):
            question = body | {"os:scheduler_hints": {hint: [ident]}}
            refusals.add(
                cloud.b.refused(400, "POST", "kilonova /placement", question).replace(ident, "ID").replace(hint, "HINT")
            )
    assert len(refusals) == 1
    assert "The hint HINT names server ID, which is not one you can see." in refusals.pop()
    assert ask(cloud.admin, cloud.admin.image(visibility="public"), hints={"same_host": server_id})["found"]


def test_a_reader_may_look_and_not_ask(cloud: World, image: str) -> None:
    server_id = cloud.a.booted(image)
    cloud.a.settled(server_id)
    assert kept(cloud.reader, server_id)["found"] is True
    body = {"placement": {"flavorRef": "1", "imageRef": image}}
    assert "kilonova:placement:ask" in cloud.reader.refused(403, "POST", "kilonova /placement", body)


def test_a_host_asked_for_by_name_is_named_to_administrators_alone(cloud: World, image: str) -> None:
    asked = ask(cloud.admin, cloud.admin.image(visibility="public"), availability_zone="nova:sim-2")
    assert (asked["request"]["host"], [one["host"] for one in asked["hosts"]]) == ("sim-2", ["sim-2"])
    assert asked["decisions"][0]["filters"][0]["reason"] == "another host was asked for by name"
