"""Filters that read hints or aggregates, a case a line: who passes, and how it is said of those who do not."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from kilonova.domain.aggregate import Aggregate
from kilonova.domain.host import Host
from kilonova.scheduler.filters.aggregate_extra_specs import AggregateInstanceExtraSpecsFilter
from kilonova.scheduler.filters.aggregate_image_isolation import AggregateImagePropertiesIsolation
from kilonova.scheduler.filters.aggregate_tenancy import AggregateMultiTenancyIsolation
from kilonova.scheduler.filters.aggregate_type_affinity import AggregateTypeAffinityFilter
from kilonova.scheduler.filters.io_ops import AggregateIoOpsFilter, IoOpsFilter
from kilonova.scheduler.filters.isolated_hosts import IsolatedHostsFilter
from kilonova.scheduler.filters.json_query import JsonFilter
from kilonova.scheduler.filters.metrics import MetricsFilter
from kilonova.scheduler.filters.num_instances import AggregateNumInstancesFilter, NumInstancesFilter
from kilonova.scheduler.filters.same_host import DifferentHostFilter, SameHostFilter
from kilonova.scheduler.filters.simple_cidr import SimpleCIDRAffinityFilter
from kilonova.scheduler.plugin import Filter
from kilonova.scheduler.settings import SchedulerSettings
from tests.unit.scheduler.building import NOW, host, request
from tests.unit.scheduler.worlds import World


def aggregate(number: int, *hosts: str, **metadata: str) -> Aggregate:
    return Aggregate(
        id=f"a-{number}",
        number=number,
        name=f"a{number}",
        metadata=metadata,
        hosts=hosts,
        created_at=NOW,
        updated_at=None,
    )


def passing(each: Filter, world: World, **wanted: Any) -> list[str]:
    mask = each.mask(world.fleet(), request(**wanted)).tolist()
    return [one.name for one, passes in zip(world.hosts, mask, strict=True) if passes]


def three(*aggregates: Aggregate, **about: dict[str, Any]) -> World:
    """Hosts 1 to 3, with what is said about some of them."""
    hosts: list[Host] = [host(number, **about.get(f"host_{number}", {})) for number in (1, 2, 3)]
    return World(hosts=tuple(hosts), aggregates=aggregates)


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ([">=", "$free_ram_mb", 9000], ["host-1"]),
        (["=", "$host", "host-3"], ["host-3"]),
        (["in", "$hypervisor_hostname", "host-1", "host-3", "gone"], ["host-1", "host-3"]),
        (["and", [">", "$free_ram_mb", 1000], ["<", "$free_ram_mb", 9000]], ["host-2"]),
        (["or", ["=", "$vcpus_total", 2], ["=", "$num_instances", 7]], ["host-2", "host-3"]),
        (["not", ["=", "$host", "host-1"]], ["host-2", "host-3"]),
        (["not", ["=", "$host", "host-1"], ["=", "$vcpus_total", 2]], ["host-1", "host-2", "host-3"]),
        (["<", 0, "$num_instances", 8], ["host-2"]),
        (["=", "$host"], []),
        (["=", "$unknown", 1], []),
        (["loop", 1], []),
        (["<", "$host", 3], []),
        ([], []),
    ],
)
def test_a_query_is_an_expression_over_facts(query: Any, names: list[str]) -> None:
    world = three(
        host_1={"ram_mib": 10_000}, host_2={"ram_mib": 8000, "servers": 7}, host_3={"ram_mib": 1000, "vcpus": 2}
    )
    assert passing(JsonFilter(), world, hints={"query": json.dumps(query)}) == names


def test_a_query_that_is_too_deep_or_no_json_is_met_by_nobody() -> None:
    query: Any = True
    for _ in range(40):
        query = ["not", query]
    assert passing(JsonFilter(), three(), hints={"query": json.dumps(query)}) == []
    assert passing(JsonFilter(), three(), hints={"query": "[" * 100_000}) == []


@pytest.mark.parametrize(
    ("hints", "names"),
    [
        ({"build_near_host_ip": "10.1.0.200"}, ["host-1"]),
        ({"build_near_host_ip": "10.1.0.200", "cidr": "/16"}, ["host-1", "host-2"]),
        ({"build_near_host_ip": "10.1.0.200", "cidr": "16"}, ["host-1", "host-2"]),
        ({"build_near_host_ip": "fd00::9", "cidr": "/64"}, ["host-3"]),
        ({"build_near_host_ip": "10.1.0.200", "cidr": "/99"}, []),
        ({"build_near_host_ip": "near"}, []),
        ({"cidr": "/16"}, ["host-1", "host-2", "host-3"]),
    ],
)
def test_near_an_address(hints: dict[str, Any], names: list[str]) -> None:
    addresses = {"host_1": "10.1.0.1", "host_2": "10.1.7.1", "host_3": "fd00::1"}
    world = three(**{name: {"address": address} for name, address in addresses.items()})
    assert passing(SimpleCIDRAffinityFilter(), world, hints=hints) == names


def test_where_other_servers_are_or_are_not() -> None:
    where = {"same_host": ("host-1", "gone"), "different_host": ("host-2",)}
    both = {"same_host": "a-server", "different_host": ["another"]}
    assert passing(SameHostFilter(), three(), hints=both, hosts_of_hints=where) == ["host-1"]
    assert passing(DifferentHostFilter(), three(), hints=both, hosts_of_hints=where) == ["host-1", "host-3"]
    assert passing(SameHostFilter(), three(), hints=both, hosts_of_hints={}) == []
    assert len(passing(DifferentHostFilter(), three(), hints=both, hosts_of_hints={})) == 3


@pytest.mark.parametrize(
    ("settings", "image", "names"),
    [
        ({"isolated_images": ("i",), "isolated_hosts": ("host-1",)}, "i", ["host-1"]),
        ({"isolated_images": ("i",), "isolated_hosts": ("host-1",)}, "other", ["host-2", "host-3"]),
        ({"isolated_images": ("i",), "isolated_hosts": ("host-1",)}, None, ["host-2", "host-3"]),
        ({"isolated_images": ("i",)}, "i", []),
        ({"isolated_images": ("i",)}, "other", ["host-1", "host-2", "host-3"]),
        ({"isolated_hosts": ("host-1",)}, "other", ["host-2", "host-3"]),
        (
            {"isolated_hosts": ("host-1",), "restrict_isolated_hosts_to_isolated_images": False},
            "other",
            ["host-1", "host-2", "host-3"],
        ),
    ],
)
def test_listed_images_go_on_listed_hosts(settings: dict[str, Any], image: str | None, names: list[str]) -> None:
    each = IsolatedHostsFilter.made(SchedulerSettings(**settings))
    assert passing(each, three(), image_id=image) == names


def test_caps_are_the_least_that_an_aggregate_says_or_the_settings_do() -> None:
    settings = SchedulerSettings(max_instances_per_host=2, max_io_ops_per_host=2)
    world = World(
        hosts=tuple(host(number, servers=2) for number in (1, 2, 3)),
        building=dict.fromkeys(("host-1", "host-2", "host-3"), 2),
        aggregates=(
            aggregate(1, "host-1", "host-2", max_instances_per_host="5", max_io_ops_per_host="5"),
            aggregate(2, "host-2", max_instances_per_host="2", max_io_ops_per_host="2"),
            aggregate(3, "host-1", "host-3", max_instances_per_host="plenty", max_io_ops_per_host="plenty"),
        ),
    )
    for plain, by_aggregate in (NumInstancesFilter, AggregateNumInstancesFilter), (IoOpsFilter, AggregateIoOpsFilter):
        assert passing(plain.made(settings), world) == []
        each = by_aggregate.made(settings)
        assert passing(each, world) == ["host-1"]
        assert "it has 2 and may have 2" in each.lacks(world.fleet(), request(), 2)


@pytest.mark.parametrize(
    ("each", "metadata", "wanted", "passes"),
    [
        (AggregateMultiTenancyIsolation(), [{"filter_tenant_id": "p, q"}], {"project_id": "q"}, True),
        (AggregateMultiTenancyIsolation(), [{"filter_tenant_id": "p"}], {"project_id": "q"}, False),
        (AggregateMultiTenancyIsolation(), [{"filter_tenant_id_7": "q"}], {"project_id": "q"}, True),
        (AggregateMultiTenancyIsolation(), [{"ssd": "q"}], {"project_id": "q"}, True),
        (AggregateTypeAffinityFilter(), [{"instance_type": "small,large"}], {"flavor_name": "large"}, True),
        (AggregateTypeAffinityFilter(), [{"instance_type": "small"}], {"flavor_name": "large"}, False),
        (
            AggregateTypeAffinityFilter(),
            [{"instance_type": "small"}, {"instance_type": "large"}],
            {"flavor_name": "large"},
            True,
        ),
        (
            AggregateImagePropertiesIsolation(),
            [{"os_distro": "debian"}],
            {"image_properties": {"os_distro": "arch"}},
            False,
        ),
        (
            AggregateImagePropertiesIsolation(),
            [{"os_distro": "debian"}, {"os_distro": "arch"}],
            {"image_properties": {"os_distro": "arch"}},
            True,
        ),
        (AggregateImagePropertiesIsolation(), [{"os_distro": "debian"}], {"image_properties": {}}, True),
        (AggregateInstanceExtraSpecsFilter(), [{"ssd": "true"}], {"extra_specs": {"ssd": "true"}}, True),
        (AggregateInstanceExtraSpecsFilter(), [{}], {"extra_specs": {"ssd": "true"}}, False),
        (AggregateInstanceExtraSpecsFilter(), [{}], {"extra_specs": {"hw:ssd": "true"}}, True),
        (
            AggregateInstanceExtraSpecsFilter(),
            [{"cores": "4"}, {"cores": "16"}],
            {"extra_specs": {"aggregate_instance_extra_specs:cores": ">= 8"}},
            True,
        ),
    ],
)
def test_aggregates_say_whom_their_hosts_are_for(
    each: Filter, metadata: list[dict[str, str]], wanted: dict[str, Any], passes: bool
) -> None:
    held = (aggregate(number, "host-1", **said) for number, said in enumerate(metadata))
    world = World(hosts=(host(1),), aggregates=tuple(held))
    assert passing(each, world, **wanted) == ["host-1"] * passes
    if not passes:
        assert each.reason(world.fleet(), request(**wanted), np.array([0]))
        assert each.lacks(world.fleet(), request(**wanted), 0)


def test_metrics_must_be_reported_as_numbers() -> None:
    each = MetricsFilter.made(SchedulerSettings(metrics={"watts": -1.0}))
    world = three(host_1={"stats": {"watts": "80"}}, host_2={"stats": {"watts": "low"}})
    assert passing(each, world) == ["host-1"]
    assert each.lacks(world.fleet(), request(), 1) == "a report of watts"
