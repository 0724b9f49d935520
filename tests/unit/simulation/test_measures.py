"""What is measured of a fleet, against figures worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from kilonova.scheduler.fleet import Fleet
from kilonova.scheduler.plugins import profile_of
from kilonova.scheduler.settings import SchedulerSettings
from kilonova.simulation import measures
from tests.unit.scheduler.building import fleet, host, request

PLAIN = {"cpu_ratio": 1.0, "ram_ratio": 1.0, "vcpus": 8, "ram_mib": 8192, "disk_gib": 100}


@pytest.fixture
def three() -> Fleet:
    """Half full, full of vCPUs alone, empty."""
    return fleet(
        host(1, **PLAIN, vcpus_used=4, ram_mib_used=4096, disk_gib_used=50, servers=2),
        host(2, **PLAIN, vcpus_used=8, ram_mib_used=2048, disk_gib_used=0, servers=1),
        host(3, **PLAIN),
    )


def test_used_is_the_part_of_the_whole_fleet(three: Fleet) -> None:
    assert measures.used(three) == {"vcpus": 12 / 24, "ram": 6144 / 24576, "disk": 50 / 300}


def test_density_counts_only_hosts_with_servers(three: Fleet) -> None:
    assert measures.hosts_in_use(three) == 2
    assert measures.density(three) == {"vcpus": 12 / 16, "ram": 6144 / 16384, "disk": 50 / 200}
    assert measures.density(fleet(host(1))) == {"vcpus": 0.0, "ram": 0.0, "disk": 0.0}


def test_imbalance_is_the_standard_deviation_of_the_used_part(three: Fleet) -> None:
    # vCPUs: 1/2, 1, 0: the mean is 1/2, the squares of the distances 0, 1/4, 1/4.
    assert measures.imbalance(three)["vcpus"] == pytest.approx((0.5 / 3) ** 0.5)
    assert measures.imbalance(three)["disk"] == pytest.approx(np.std([0.5, 0, 0]))


def test_ratios_and_reserves_count() -> None:
    one = fleet(host(1, vcpus=10, cpu_ratio=2.0, vcpus_used=5, ram_mib=1000, ram_ratio=1.0, ram_mib_reserved=200))
    assert measures.used(one)["vcpus"] == 0.25
    assert one.room[1].tolist() == [800]


@pytest.mark.parametrize(
    ("vcpus", "ram_mib", "disk_gib", "expected"),
    [
        # Free: 4+0+8 = 12 vCPUs, 4096+6144+8192 = 18432 MiB, 50+100+100 = 250 GiB.
        (4, 1024, 0, 0.0),  # one piece: 3; host-1 holds 1, host-2 none, host-3 2
        (8, 1024, 0, 0.0),  # one piece: 1, on host-3
        (3, 1024, 0, 1 - 3 / 4),  # one piece: 4; 1 + 0 + 2 = 3
        (1, 6144, 0, 1 - 1 / 3),  # one piece: 3 by RAM; host-2 has no vCPU: 0 + 0 + 1
        (0, 0, 60, 1 - 2 / 4),  # one piece: 4; 0 + 1 + 1
        (16, 1024, 0, 0.0),  # larger than any host: there is nothing to lose
        (0, 0, 0, 0.0),  # takes nothing
    ],
)
def test_fragmentation_by_hand(three: Fleet, vcpus: int, ram_mib: int, disk_gib: int, expected: float) -> None:
    wanted = request(vcpus=vcpus, ram_mib=ram_mib, disk_gib=disk_gib)
    assert measures.fragmentation(three, wanted, three.everyone) == pytest.approx(expected)


def test_fragmentation_is_of_the_hosts_that_may(three: Fleet) -> None:
    wanted = request(vcpus=3, ram_mib=1024, disk_gib=0)
    assert measures.fragmentation(three, wanted, np.array([False, False, True])) == 0.0  # 8 // 3 = 2, both are there


def test_who_could_ever_take_a_flavor_is_asked_of_all_filters_but_the_one_for_room() -> None:
    full = host(1, vcpus_used=128, traits=("CUSTOM_FAST",))
    profile = profile_of(SchedulerSettings())
    wanted = request(extra_specs={"trait:CUSTOM_FAST": "required"}, availability_zone="nova")
    asked = fleet(full, host(2), host(3, zone="east", traits=("CUSTOM_FAST",)))
    assert measures.possible(asked, wanted, profile).tolist() == [True, False, False]
