"""Placement over the cloud's own records: what is read, what may be written, and what is refused with its reason."""

from __future__ import annotations

from typing import Any

import pytest

from kilonova.rpc.messages import FleetChanged
from kilonova.store.queries import hosts, providers
from tests import facts
from tests.apiclient import compile_all
from tests.fakes.auth import MEMBER_A, PROJECT_A
from tests.story.placement.world import SERVER, World

SMALL = "VCPU:1,MEMORY_MB:512,DISK_GB:1"


def test_every_codec_compiles_and_every_documented_route_is_there(world: World) -> None:
    assert compile_all(world.service) > 50
    ours = {f"{route.method} {route.path}" for route in world.service.routes}
    assert set(facts.documented_routes("placement")) - ours == set()


def test_its_version_is_for_everybody_and_the_rest_for_operators(world: World) -> None:
    shown = world.call("GET", "/", token=None, version="1.0")["versions"][0]
    assert (shown["min_version"], shown["max_version"]) == ("1.0", "1.39")
    refused = world.call("GET", "/resource_providers", token=MEMBER_A, status=403)
    assert refused["errors"][0]["status"] == 403
    assert world.call("GET", f"/usages?project_id={PROJECT_A}", token=MEMBER_A)["usages"]["INSTANCE"]["VCPU"] == 2
    world.call("GET", "/usages?project_id=another", token=MEMBER_A, status=403)


def test_hosts_are_providers_with_what_is_claimed_of_them(world: World) -> None:
    path = f"/resource_providers/{world.one.id}"
    held = world.call("GET", f"{path}/inventories")["inventories"]
    assert (held["VCPU"]["total"], held["VCPU"]["allocation_ratio"], held["DISK_GB"]["max_unit"]) == (8, 16.0, 100)
    assert world.call("GET", f"{path}/usages")["usages"] == {"VCPU": 2, "MEMORY_MB": 1024, "DISK_GB": 5}
    amounts = {"VCPU": 2, "MEMORY_MB": 1024, "DISK_GB": 5}
    assert world.call("GET", f"{path}/allocations")["allocations"] == {SERVER.id: {"resources": amounts}}
    shown = world.call("GET", f"/allocations/{SERVER.id}")
    assert shown["allocations"][world.one.id] == {"generation": world.generation(), "resources": amounts}
    assert (shown["project_id"], shown["consumer_generation"], shown["consumer_type"]) == (PROJECT_A, 1, "INSTANCE")
    assert world.call("GET", f"/allocations/{world.two.id}") == {"allocations": {}}
    assert world.call("GET", f"/usages?project_id={PROJECT_A}", version="1.9") == {"usages": amounts}
    world.call("GET", "/resource_providers/1", status=404)


def test_a_list_is_narrowed(world: World) -> None:
    assert world.names("") == ["h1", "h2"]
    assert world.names("name=h2") == ["h2"]
    assert world.names(f"uuid={world.one.id}") == ["h1"]
    assert world.names("resources=DISK_GB:96") == ["h2"]
    assert world.names("resources=VCPU:9") == []  # no server is larger than its host
    assert world.names("required=COMPUTE_NODE,!HW_CPU_X86_AVX") == ["h1", "h2"]
    assert world.names("required=in:HW_CPU_X86_AVX,HW_CPU_X86_AVX2") == []
    for wrong in (
        "resources=VCPU",
        "resources=VCPU:0",
        "resources=NOTHING:1",
        "required=NOTHING",
        "member_of=x",
        "color=red",
    ):
        world.call("GET", f"/resource_providers?{wrong}", status=400)
    world.call("GET", "/resource_providers?resources=VCPU:1", version="1.3", status=400)


def test_ratios_and_reserves_are_set_for_the_generation_they_were_read_at(world: World) -> None:
    path = f"/resource_providers/{world.one.id}/inventories"
    generation = world.generation()
    wanted = {"total": 16384, "reserved": 1024, "allocation_ratio": 2.0, "resource_provider_generation": generation}
    set_to = world.call("PUT", f"{path}/MEMORY_MB", wanted)
    assert (set_to["reserved"], set_to["allocation_ratio"], set_to["resource_provider_generation"]) == (
        1024,
        2.0,
        generation + 1,
    )
    with world.database.read() as tx:
        host = hosts.by_name(tx, "h1")
    assert host is not None
    assert (host.ram_ratio, host.ram_mib_reserved) == (2.0, 1024)
    assert host.updated_at is not None
    assert any(isinstance(one, FleetChanged) for one in world.heard)
    stale = world.call("PUT", f"{path}/MEMORY_MB", wanted, status=409)
    assert stale["errors"][0]["code"] == "placement.concurrent_update"
    now = {"resource_provider_generation": generation + 1}
    for name, body in (("VCPU", {"total": 9}), ("VCPU", {"total": 8, "reserved": 1}), ("VGPU", {"total": 1})):
        world.call("PUT", f"{path}/{name}", {**body, **now}, status=409)
    whole = {"VCPU": {"total": 8}, "MEMORY_MB": {"total": 16384}, "DISK_GB": {"total": 100, "reserved": 10}}
    world.call("PUT", path, {"inventories": {"VCPU": {"total": 8}}, **now}, status=409)
    assert world.call("PUT", path, {"inventories": whole, **now})["inventories"]["DISK_GB"]["reserved"] == 10


def test_traits_are_the_hosts_and_the_operators(world: World) -> None:
    path = f"/resource_providers/{world.one.id}/traits"
    assert world.call("GET", path)["traits"] == ["COMPUTE_NODE"]
    assert world.call("PUT", "/traits/CUSTOM_GOLD", status=201) is None
    world.call("PUT", "/traits/CUSTOM_GOLD", status=204)
    world.call("PUT", "/traits/GOLD", status=400)
    wanted = {"traits": ["CUSTOM_GOLD", "HW_CPU_X86_AVX"], "resource_provider_generation": world.generation()}
    assert world.call("PUT", path, wanted)["traits"] == ["COMPUTE_NODE", "CUSTOM_GOLD", "HW_CPU_X86_AVX"]
    world.call("PUT", path, wanted, status=409)
    world.call("PUT", path, {"traits": ["CUSTOM_NO"], "resource_provider_generation": world.generation()}, status=400)
    assert world.names("required=CUSTOM_GOLD") == ["h1"]
    with world.database.read() as tx:
        assert providers.said_traits(tx) == {world.one.id: ["CUSTOM_GOLD", "HW_CPU_X86_AVX"]}
    assert world.call("GET", "/traits?name=startswith:CUSTOM_")["traits"] == ["CUSTOM_GOLD"]
    assert "CUSTOM_GOLD" in world.call("GET", "/traits?associated=true")["traits"]
    world.call("DELETE", "/traits/CUSTOM_GOLD", status=409)
    world.call("DELETE", "/traits/COMPUTE_NODE", status=400)
    world.call("DELETE", path, status=204)
    world.call("DELETE", "/traits/CUSTOM_GOLD", status=204)
    world.call("GET", "/traits/CUSTOM_GOLD", status=404)


def test_custom_resource_classes_come_and_go(world: World) -> None:
    world.call("POST", "/resource_classes", {"name": "CUSTOM_FPGA"}, status=201)
    world.call("POST", "/resource_classes", {"name": "CUSTOM_FPGA"}, status=409)
    world.call("PUT", "/resource_classes/CUSTOM_FPGA", status=204)
    renamed = world.call("PUT", "/resource_classes/CUSTOM_FPGA", {"name": "CUSTOM_FPGA_V2"}, version="1.2")
    assert renamed == facts.sample("placement", "resource_classes/update-resource_class.json")
    names = [one["name"] for one in world.call("GET", "/resource_classes")["resource_classes"]]
    assert (names[:3], names[-1]) == (["VCPU", "MEMORY_MB", "DISK_GB"], "CUSTOM_FPGA_V2")
    world.call("DELETE", "/resource_classes/VCPU", status=400)
    world.call("DELETE", "/resource_classes/CUSTOM_FPGA_V2", status=204)
    world.call("GET", "/resource_classes/CUSTOM_FPGA_V2", status=404)


def test_aggregates_are_the_clouds_own(world: World) -> None:
    path = f"/resource_providers/{world.one.id}/aggregates"
    assert world.call("GET", path, version="1.1") == {"aggregates": []}
    nowhere = [world.two.id]
    world.call("PUT", path, nowhere, version="1.1", status=400)
    body = {"aggregates": [], "resource_provider_generation": world.generation() - 1}
    world.call("PUT", path, body, status=409)
    body["resource_provider_generation"] += 1
    assert world.call("PUT", path, body) == {"aggregates": [], "resource_provider_generation": world.generation()}


def test_candidates_are_the_hosts_that_a_claim_would_succeed_on(world: World) -> None:
    found = world.call("GET", f"/allocation_candidates?resources={SMALL}")
    assert set(found["provider_summaries"]) == {world.one.id, world.two.id}
    assert found["allocation_requests"][0]["mappings"] == {"": [world.one.id]}
    assert found["provider_summaries"][world.one.id]["resources"]["VCPU"] == {"capacity": 128, "used": 2}
    assert len(world.call("GET", f"/allocation_candidates?resources={SMALL}&limit=1")["allocation_requests"]) == 1
    early = world.call("GET", "/allocation_candidates?resources=DISK_GB:96", version="1.10")
    assert early["allocation_requests"] == [
        {"allocations": [{"resource_provider": {"uuid": world.two.id}, "resources": {"DISK_GB": 96}}]}
    ]
    world.call("GET", "/allocation_candidates", status=400)


def test_what_somebody_else_owns_is_refused_with_the_reason(world: World) -> None:
    one = f"/resource_providers/{world.one.id}"
    writes: list[tuple[str, str, Any]] = [
        ("POST", "/resource_providers", {"name": "mine"}), ("PUT", one, {"name": "mine"}), ("DELETE", one, None),
        ("DELETE", f"/allocations/{SERVER.id}", None), ("POST", "/reshaper", {}),
        ("DELETE", f"{one}/inventories", None), ("DELETE", f"{one}/inventories/VCPU", None),
        ("POST", f"{one}/inventories", {"resource_class": "VGPU", "total": 1, "resource_provider_generation": 1}),
    ]  # fmt: skip
    for method, path, body in writes:
        refused = world.call(method, path, body, status=409)["errors"][0]
        assert (refused["title"], len(refused["detail"]) > 40) == ("Conflict", True)


SHAPES = [
    (row["file"], row["microversion"] or "1.39", row["route"])
    for row in facts.sample_index("placement")
    if row["kind"] == "resp" and row["route"].startswith("GET") and "update" not in row["file"]
]


@pytest.mark.parametrize(("file", "version", "route"), SHAPES, ids=[file for file, _, _ in SHAPES])
def test_the_documented_fields_are_there(world: World, file: str, version: str, route: str) -> None:
    world.call("PUT", "/resource_classes/CUSTOM_FPGA", status=201)
    path = route.split(" ")[1].replace("{uuid}", world.one.id).replace("{consumer_uuid}", SERVER.id)
    path = path.replace("{resource_class}", "VCPU").replace("{name}", "CUSTOM_FPGA")
    version = {"aggregates/get-aggregates.json": "1.1", "usages/get-usages.json": "1.9"}.get(file, version)
    version = {"allocation_candidates/get-allocation_candidates.json": "1.10", "root/get-root.json": "1.0"}.get(
        file, version
    )
    query = {"/usages": f"?project_id={PROJECT_A}", "/allocation_candidates": f"?resources={SMALL}"}.get(path, "")
    shown = world.call("GET", f"{path}{query}", version=version)
    assert set(facts.sample("placement", file)) <= set(shown)
