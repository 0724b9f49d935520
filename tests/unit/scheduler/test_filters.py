"""Each filter: whom it lets pass, and how it says why not."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kilonova.domain.allocation import Claim
from kilonova.domain.host import ALIVE_WITHIN_S, Host, is_alive
from kilonova.scheduler.filters.availability_zone import AvailabilityZoneFilter
from kilonova.scheduler.filters.compute import ComputeFilter
from kilonova.scheduler.filters.compute_capabilities import ComputeCapabilitiesFilter
from kilonova.scheduler.filters.image_properties import ImagePropertiesFilter
from kilonova.scheduler.filters.named_hosts import ExcludedHostsFilter, ForcedHostFilter
from kilonova.scheduler.filters.resource import ResourceFilter
from kilonova.scheduler.filters.server_group import ServerGroupAffinityFilter, ServerGroupAntiAffinityFilter
from kilonova.scheduler.fleet import Group
from kilonova.scheduler.plugin import Filter
from kilonova.store.queries import hosts
from tests.unit.scheduler.building import NOW, fleet, host, names, request

figures = st.integers(0, 200)
ratios = st.floats(0.1, 20, allow_nan=False)


def passing(each: Filter, hosts_: list[Host], **wanted: Any) -> list[str]:
    of = fleet(*hosts_)
    return names(of, each.mask(of, request(**wanted)).tolist())


def reason(each: Filter, hosts_: list[Host], **wanted: Any) -> str:
    """Why the filter removes those it removes."""
    of = fleet(*hosts_)
    return each.reason(of, request(**wanted), np.flatnonzero(~each.mask(of, request(**wanted))))


@given(
    hosts_=st.lists(
        st.fixed_dictionaries(
            {
                **dict.fromkeys(("vcpus", "ram_mib", "disk_gib", "vcpus_used", "ram_mib_used", "disk_gib_used"), figures),
                **dict.fromkeys(("ram_mib_reserved", "disk_gib_reserved"), figures),
                **dict.fromkeys(("cpu_ratio", "ram_ratio", "disk_ratio"), ratios),
            }
        ),
        max_size=5,
    ),
    vcpus=figures, ram_mib=figures, disk_gib=figures,
)  # fmt: skip
def test_room_is_what_the_claim_will_find(
    hosts_: list[dict[str, Any]], vcpus: int, ram_mib: int, disk_gib: int
) -> None:
    made = [host(i, **about) for i, about in enumerate(hosts_)]
    claim = Claim(server_id="server", vcpus=vcpus, ram_mib=ram_mib, disk_gib=disk_gib)
    expected = [one.name for one in made if hosts.fits(one, claim)]
    assert expected == passing(ResourceFilter(), made, vcpus=vcpus, ram_mib=ram_mib, disk_gib=disk_gib)


@pytest.mark.parametrize(
    ("wanted", "said", "lacks"),
    [
        ({"ram_mib": 700}, "needs 700 MiB RAM, the most free is 300", "400 MiB RAM"),
        ({"vcpus": 3}, "needs 3 vCPUs, the most free is 2", "1 vCPUs"),
        ({"vcpus": 9, "disk_gib": 11}, "needs 9 vCPUs, the most free is 2; needs 11 GiB disk, the most free is 10",
         "7 vCPUs and 1 GiB disk"),
    ],
)  # fmt: skip
def test_a_lack_of_room_is_told_in_figures(wanted: dict[str, int], said: str, lacks: str) -> None:
    made = [
        host(i, vcpus=2, ram_mib=500, ram_mib_used=used, ram_ratio=1.0, disk_gib=10) for i, used in ((1, 200), (2, 400))
    ]
    assert reason(ResourceFilter(), made, **({"ram_mib": 1} | wanted)) == said
    assert ResourceFilter().lacks(fleet(*made), request(**({"ram_mib": 1} | wanted)), 0) == lacks


def test_room_that_is_there_but_not_in_one_place_is_told_apart() -> None:
    made = [host(1, vcpus=1), host(2, vcpus=8, ram_mib=256)]
    assert "1 GiB disk together" in reason(ResourceFilter(), made, vcpus=2)


@given(seen=st.none() | st.integers(-100_000_000, 0), forced_down=st.booleans(), disabled=st.booleans())
def test_hosts_that_are_disabled_or_not_alive_are_out(seen: int | None, forced_down: bool, disabled: bool) -> None:
    seen_at = None if seen is None else NOW + timedelta(microseconds=seen)
    one = host(1, seen_at=seen_at, forced_down=forced_down, disabled=disabled)
    expected = is_alive(seen_at, NOW, forced_down=forced_down) and not disabled
    assert passing(ComputeFilter(), [one]) == ["host-1"] * expected


def test_the_last_second_of_being_alive_counts() -> None:
    edge = NOW - timedelta(seconds=ALIVE_WITHIN_S)
    made = [host(1, seen_at=edge), host(2, seen_at=edge - timedelta(microseconds=1))]
    assert passing(ComputeFilter(), made) == ["host-1"]


def test_disabled_and_down_hosts_are_counted_apart() -> None:
    made = [host(1, disabled=True), host(2, forced_down=True), host(3, seen_at=None)]
    assert reason(ComputeFilter(), made) == "1 disabled, 2 down (not heard of for 60 s, or forced down)"


def test_zones() -> None:
    made = [host(1), host(2, zone="az1")]
    assert passing(AvailabilityZoneFilter(), made, availability_zone="az1") == ["host-2"]
    assert passing(AvailabilityZoneFilter(), made) == ["host-1", "host-2"]
    assert reason(AvailabilityZoneFilter(), made, availability_zone="az2") == "not in zone az2 but in az1, nova"


def test_forced_and_excluded_hosts() -> None:
    made = [host(1), host(2), host(3)]
    assert passing(ForcedHostFilter(), made, forced_host="host-2") == ["host-2"]
    gone = reason(ForcedHostFilter(), made, forced_host="gone")
    assert gone == "another host was asked for by name, which is not there"
    assert passing(ExcludedHostsFilter(), made, excluded_hosts=("host-2", "gone")) == ["host-1", "host-3"]


@pytest.mark.parametrize(
    ("specs", "passes"),
    [
        ({"capabilities:hypervisor_type": "KVM"}, True),
        ({"capabilities:hypervisor_type": "QEMU"}, False),
        ({"capabilities:hypervisor_version": ">= 8000000"}, True),
        ({"capabilities:cpu_info:arch": "s== x86_64"}, True),
        ({"capabilities:cpu_info:topology:cores": ">= 8"}, False),
        ({"capabilities:cpu_info:features": "<all-in> aes avx"}, True),
        ({"capabilities:rack": "<or> r1 <or> r7"}, True),
        ({"capabilities:stats:rack": "r7"}, True),
        ({"capabilities:nothing": "x"}, False),
        ({"capabilities:rack:deeper": "x"}, False),
        ({"rack": "r8"}, False),
        ({"nothing": "x"}, True),
        ({"hw:cpu_policy": "dedicated", "trait:HW_CPU": "required"}, True),
    ],
)
def test_capabilities(specs: dict[str, str], passes: bool) -> None:
    one = host(1, cpu_topology={"cores": 4}, cpu_features=("aes", "avx", "sse"), stats={"rack": "r7"})
    assert passing(ComputeCapabilitiesFilter(), [one], extra_specs=specs) == ["host-1"] * passes


def test_what_capabilities_lack_is_told_with_what_is_there() -> None:
    specs = {"capabilities:cpu_info:arch": "aarch64", "capabilities:gpu": "yes"}
    said = ComputeCapabilitiesFilter().lacks(fleet(host(1)), request(extra_specs=specs), 0)
    assert said == "capabilities:cpu_info:arch aarch64 (it is x86_64) and capabilities:gpu yes (it is unknown)"


@pytest.mark.parametrize(
    ("properties", "passes"),
    [
        ({}, True),
        ({"os_distro": "debian"}, True),
        ({"hw_architecture": "x86_64"}, True),
        ({"architecture": "AMD64"}, True),
        ({"hw_architecture": "i386"}, True),
        ({"hw_architecture": "aarch64"}, False),
        ({"img_hv_type": "kvm"}, True),
        ({"img_hv_type": "qemu"}, True),
        ({"hypervisor_type": "xen"}, False),
        ({"hw_vm_mode": "hvm"}, True),
        ({"vm_mode": "xen"}, False),
        ({"img_hv_requested_version": ">=8.2,<9"}, True),
        ({"img_hv_requested_version": ">8.2.1"}, False),
        ({"hypervisor_version_requires": "newest"}, False),
    ],
)
def test_image_properties(properties: dict[str, str], passes: bool) -> None:
    assert passing(ImagePropertiesFilter(), [host(1)], image_properties=properties) == ["host-1"] * passes


def test_qemu_alone_is_not_kvm_and_the_simulator_is_both() -> None:
    made = [host(1, hypervisor_type="QEMU"), host(2, hypervisor_type="kilonova-sim")]
    assert passing(ImagePropertiesFilter(), made, image_properties={"img_hv_type": "kvm"}) == ["host-2"]


def test_what_an_image_misses_is_told_with_what_is_there() -> None:
    said = reason(ImagePropertiesFilter(), [host(1)], image_properties={"hw_architecture": "ppc64le"})
    assert said == "hw_architecture ppc64le (it has x86_64, i686)"


def group(policy: str, **counts: int) -> dict[str, Group]:
    """A group named `g` with servers on hosts by their place in the fleet."""
    places = [int(name.removeprefix("at")) for name in counts]
    return {"g": Group(policy, np.array(places, np.intp), np.array(list(counts.values()), np.int64), max_per_host=2)}


@pytest.mark.parametrize("hint", ["g", ["g"]])
def test_groups_keep_their_servers_together_or_apart(hint: str | list[str]) -> None:
    wanted = request(hints={"group": hint})
    apart = fleet(host(1), host(2), host(3), groups=group("anti-affinity", at0=2, at2=1))
    assert names(apart, ServerGroupAntiAffinityFilter().mask(apart, wanted).tolist()) == ["host-2", "host-3"]
    assert ServerGroupAffinityFilter().mask(apart, wanted) is apart.everyone
    together = fleet(host(1), host(2), host(3), groups=group("affinity", at1=1))
    assert names(together, ServerGroupAffinityFilter().mask(together, wanted).tolist()) == ["host-2"]
    assert ServerGroupAntiAffinityFilter().mask(together, wanted) is together.everyone


def test_a_group_without_servers_or_records_asks_for_nothing() -> None:
    empty = fleet(host(1), groups=group("affinity"))
    for each in (ServerGroupAffinityFilter(), ServerGroupAntiAffinityFilter()):
        assert each.mask(empty, request(hints={"group": "g"})).all()
        assert each.mask(empty, request(hints={"group": "unknown"})).all()
