"""Candidates asked for in groups, where each host is one provider: all groups are met by one host, or none."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

import pytest

from kilonova.domain.aggregate import Aggregate
from kilonova.store.queries import aggregates
from tests.story.placement.world import World


def ask(world: World, version: str = "1.39", status: int = 200, **query: Any) -> Any:
    return world.call("GET", f"/allocation_candidates?{urlencode(query, doseq=True)}", version=version, status=status)


def where(world: World, **query: Any) -> list[str]:
    """The names of the hosts that would do."""
    names = {world.one.id: "h1", world.two.id: "h2"}
    return sorted(names[ident] for ident in ask(world, **query)["provider_summaries"])


def gather(world: World) -> str:
    """Put the second host into an aggregate; its id."""
    made = Aggregate(
        id=world.ids.uuid(), number=1, name="a", metadata={}, hosts=(), created_at=world.clock.now(), updated_at=None
    )
    with world.database.write() as tx:
        aggregates.add(tx, made)
        aggregates.add_host(tx, made, world.two.id)
    return made.id


def test_groups_add_up_on_one_host_and_say_by_suffix_where_they_are_met(world: World) -> None:
    found = ask(
        world, resources="MEMORY_MB:512", resources1="VCPU:2,DISK_GB:4", resources_B="VCPU:3", group_policy="none", limit=1
    )  # fmt: skip
    [request] = found["allocation_requests"]
    [host] = found["provider_summaries"]
    assert request["allocations"] == {host: {"resources": {"MEMORY_MB": 512, "VCPU": 5, "DISK_GB": 4}}}
    assert request["mappings"] == {"": [host], "1": [host], "_B": [host]}
    alone = ask(world, version="1.25", resources1="VCPU:1", limit=1)["allocation_requests"]
    assert [list(one) for one in alone] == [["allocations"]]
    assert list(ask(world, resources1="VCPU:1")["allocation_requests"][0]["mappings"]) == ["1"]


def test_the_sum_is_held_against_what_is_free_and_against_the_largest_unit(world: World) -> None:
    assert where(world, resources1="DISK_GB:48", resources2="DISK_GB:47", group_policy="none") == ["h1", "h2"]
    assert where(world, resources1="DISK_GB:48", resources2="DISK_GB:48", group_policy="none") == ["h2"]
    assert where(world, resources1="VCPU:4", resources2="VCPU:4", group_policy="none") == ["h1", "h2"]
    assert (
        where(world, resources1="VCPU:5", resources2="VCPU:4", group_policy="none") == []
    )  # no server is larger than its host


def test_each_groups_wishes_hold(world: World) -> None:
    held = gather(world)
    both = {"resources1": "VCPU:1", "resources2": "VCPU:1", "group_policy": "none"}
    assert where(world, **both, required2="COMPUTE_NODE") == ["h1", "h2"]
    assert where(world, **both, required2="!COMPUTE_NODE") == []
    assert where(world, **both, required2=["COMPUTE_NODE", "in:HW_CPU_X86_AVX,COMPUTE_NODE"]) == ["h1", "h2"]
    assert where(world, **both, member_of1=held) == ["h2"]
    assert where(world, **both, member_of1=f"!{held}") == ["h1"]
    assert where(world, **both, in_tree2=world.one.id) == ["h1"]
    assert where(world, **both, in_tree1=world.one.id, in_tree2=world.two.id) == []
    assert where(world, **both, member_of1=held, in_tree2=world.one.id) == []


def test_groups_that_must_be_apart_have_no_candidates(world: World) -> None:
    assert where(world, resources1="VCPU:1", resources2="VCPU:1", group_policy="isolate") == []
    assert where(world, resources="VCPU:1", resources1="VCPU:1", group_policy="isolate") == ["h1", "h2"]


def test_a_host_is_the_root_of_its_tree_and_its_subtree(world: World) -> None:
    assert where(world, resources="VCPU:1", root_required="COMPUTE_NODE,!HW_CPU_X86_AVX") == ["h1", "h2"]
    assert where(world, resources="VCPU:1", root_required="!COMPUTE_NODE") == []
    near = {"resources_A": "VCPU:1", "same_subtree": "_A,_B", "group_policy": "none"}
    found = ask(world, **near, required_B="COMPUTE_NODE", limit=1)["allocation_requests"][0]
    [host] = found["allocations"]
    assert found["mappings"] == {"_A": [host], "_B": [host]}
    assert where(world, **near, required_B="HW_CPU_X86_AVX") == []


WRONG: list[tuple[str, dict[str, Any], str]] = [
    ("1.39", {"resources1": "VCPU:1", "resources2": "VCPU:1"}, "missing_value"),
    ("1.39", {}, "missing_value"),
    ("1.36", {"required_A": "COMPUTE_NODE", "same_subtree": "_A"}, "missing_value"),
    ("1.36", {"resources": "VCPU:1", "required_A": "COMPUTE_NODE"}, "bad_value"),
    ("1.35", {"resources1": "VCPU:1", "required": "COMPUTE_NODE"}, "bad_value"),
    ("1.36", {"resources_A": "VCPU:1", "same_subtree": "_A,_B"}, "bad_value"),
    ("1.36", {"resources": "VCPU:1", "same_subtree": ""}, "bad_value"),
    ("1.39", {"resources": "VCPU:1", "root_required": "in:COMPUTE_NODE,HW_CPU_X86_AVX"}, "bad_value"),
    ("1.39", {"resources": "VCPU:1", "root_required": ["COMPUTE_NODE", "HW_CPU_X86_AVX"]}, "duplicate_key"),
]


@pytest.mark.parametrize(("version", "query", "code"), WRONG)
def test_what_does_not_fit_together_is_refused_by_its_code(
    world: World, version: str, query: dict[str, Any], code: str
) -> None:
    [error] = ask(world, version=version, status=400, **query)["errors"]
    assert error["code"] == f"placement.query.{code}"


MALFORMED: list[tuple[str, dict[str, Any]]] = [
    ("1.39", {"resources1": "VCPU"}),
    ("1.39", {"resources1": "NOTHING:1"}),
    ("1.39", {"resources1": "VCPU:1", "required1": "NOTHING"}),
    ("1.39", {"resources1": "VCPU:1", "required1": "COMPUTE_NODE,!COMPUTE_NODE"}),
    ("1.39", {"resources1": "VCPU:1", "member_of1": "x"}),
    ("1.39", {"resources1": "VCPU:1", "in_tree1": "x"}),
    ("1.39", {"resources1": "VCPU:1", "group_policy": "both"}),
    ("1.39", {"resources1": "VCPU:1", "color1": "red"}),
    ("1.39", {f"resources{'A' * 65}": "VCPU:1"}),
    ("1.39", {"resources A": "VCPU:1"}),
]
TOO_EARLY: list[tuple[str, dict[str, Any]]] = [
    ("1.24", {"resources": "VCPU:1", "resources1": "VCPU:1"}),
    ("1.24", {"resources": "VCPU:1", "group_policy": "none"}),
    ("1.30", {"resources1": "VCPU:1", "in_tree1": "00000001-0000-4000-8000-000000000000"}),
    ("1.32", {"resources_A": "VCPU:1"}),
    ("1.32", {"resources01": "VCPU:1"}),
    ("1.34", {"resources": "VCPU:1", "root_required": "COMPUTE_NODE"}),
    ("1.35", {"resources_A": "VCPU:1", "same_subtree": "_A"}),
]


@pytest.mark.parametrize(("version", "query"), [*MALFORMED, *TOO_EARLY])
def test_what_is_malformed_or_of_a_later_version_is_refused(world: World, version: str, query: dict[str, Any]) -> None:
    ask(world, version=version, status=400, **query)
    if (version, query) in TOO_EARLY:
        ask(world, **query, **({"group_policy": "none"} if "group_policy" not in query else {}))
