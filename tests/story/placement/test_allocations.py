"""Who would write allocations: told what is malformed, then what is stale, then that they are not for clients to write."""

from __future__ import annotations

from typing import Any

import pytest

from tests import facts
from tests.fakes.auth import PROJECT_A
from tests.story.placement.world import SERVER, World

NOT_FOR_CLIENTS, STALE = "placement.undefined_code", "placement.concurrent_update"


def wanted(world: World, **changed: Any) -> dict[str, Any]:
    """What the server has already, as a client that read it would send it back."""
    resources = {"VCPU": 2, "MEMORY_MB": 1024, "DISK_GB": 5}
    body = {
        "allocations": {world.one.id: {"resources": resources}}, "project_id": PROJECT_A, "user_id": "someone",
        "consumer_generation": 1, "consumer_type": "INSTANCE", "mappings": {"": [world.one.id], "_NET": [world.one.id]},
    }  # fmt: skip
    return body | changed


def code(world: World, consumer: str, body: Any) -> str:
    """The code of the refusal, which must be the same for one consumer and for several."""
    [one] = world.call("PUT", f"/allocations/{consumer}", body, status=409)["errors"]
    [several] = world.call("POST", "/allocations", {consumer: body}, status=409)["errors"]
    assert one["code"] == several["code"]
    return str(one["code"])


def test_a_consumer_is_of_generation_1_while_it_has_a_claim_and_else_of_none(world: World) -> None:
    newcomer = world.ids.uuid()
    assert code(world, SERVER.id, wanted(world)) == NOT_FOR_CLIENTS
    assert code(world, newcomer, wanted(world, consumer_generation=None)) == NOT_FOR_CLIENTS
    for stale in (None, 0, 2):
        assert code(world, SERVER.id, wanted(world, consumer_generation=stale)) == STALE
    assert code(world, newcomer, wanted(world, consumer_generation=1)) == STALE
    assert world.call("GET", f"/allocations/{SERVER.id}")["consumer_generation"] == 1


def test_one_stale_consumer_among_several_is_enough(world: World) -> None:
    both = {SERVER.id: wanted(world), world.ids.uuid(): wanted(world, consumer_generation=3)}
    [error] = world.call("POST", "/allocations", both, status=409)["errors"]
    assert error["code"] == STALE


@pytest.mark.parametrize(
    "changed",
    [
        {"allocations": {"x": {"resources": {"VCPU": 1}}}},
        {"allocations": {SERVER.id: {"resources": {"VCPU": 0}}}},
        {"allocations": {SERVER.id: {"resources": {}}}},
        {"consumer_generation": "1"},
        {"consumer_type": "instance"},
        {"mappings": {"_NET": []}},
        {"mappings": {"a b": [SERVER.id]}},
        {"color": "red"},
    ],
)
def test_what_is_malformed_is_told_first(world: World, changed: dict[str, Any]) -> None:
    body = wanted(world, **changed)
    world.call("PUT", f"/allocations/{SERVER.id}", body, status=400)
    world.call("POST", "/allocations", {SERVER.id: body}, status=400)


def test_a_field_is_there_from_its_version_on(world: World) -> None:
    path, body = f"/allocations/{SERVER.id}", wanted(world)
    world.call("PUT", path, body, version="1.37", status=400)
    del body["consumer_type"]
    world.call("PUT", path, body, version="1.38", status=400)
    world.call("PUT", path, body, version="1.37", status=409)
    world.call("PUT", path, body, version="1.33", status=400)
    del body["mappings"]
    world.call("PUT", path, body | {"allocations": {}}, version="1.28", status=409)
    world.call("PUT", path, body, version="1.27", status=400)
    del body["consumer_generation"]
    world.call("PUT", path, body, version="1.27", status=409)
    world.call("PUT", path, body | {"allocations": {}}, version="1.27", status=400)
    world.call("POST", "/allocations", {SERVER.id: body | {"allocations": {}}}, version="1.13", status=409)
    world.call("POST", "/allocations", {}, version="1.13", status=400)


SENT = [
    (row["file"], row["microversion"] or ("1.13" if row["route"].startswith("POST") else "1.8"), row["route"])
    for row in facts.sample_index("placement")
    if row["kind"] == "req" and row["resource"] == "allocations"
]


@pytest.mark.parametrize(("file", "version", "route"), SENT, ids=[file for file, _, _ in SENT])
def test_the_documented_bodies_are_understood(world: World, file: str, version: str, route: str) -> None:
    method, path = route.split(" ")
    body = facts.sample("placement", file)
    [error] = world.call(
        method, path.replace("{consumer_uuid}", SERVER.id), body, version=version, status=409
    )["errors"]  # fmt: skip
    stale = method == "POST" and version >= "1.28"  # of consumers that are none of ours
    assert error["code"] == (STALE if stale else NOT_FOR_CLIENTS)
