"""The nearest miss is a host of which it helps to know what it lacks."""

from __future__ import annotations

from typing import Any

import pytest

from kilonova.domain.host import Host
from kilonova.scheduler.explain import nearest_miss
from kilonova.scheduler.plugins import profile_of
from kilonova.scheduler.settings import SchedulerSettings
from tests.unit.scheduler.building import fleet, host, request

FILTERS = profile_of(SchedulerSettings()).filters
SMALL = {"ram_mib": 1000, "ram_ratio": 1.0}


@pytest.mark.parametrize(
    ("hosts", "wanted", "miss"),
    [
        ([host(1, **SMALL, ram_mib_used=900), host(2, **SMALL, ram_mib_used=500)], {"ram_mib": 600}, ("host-2", "100 MiB RAM")),
        ([host(1, **SMALL), host(2, disabled=True)], {"ram_mib": 1024, "forced_host": "host-2"},
         ("host-2", "a compute service that is enabled")),
        ([host(1, **SMALL), host(2)], {"ram_mib": 1024, "excluded_hosts": ("host-2",)}, ("host-1", "24 MiB RAM")),
        ([host(1), host(2)], {"excluded_hosts": ("host-1", "host-2")},
         ("host-1", "a second chance: it was tried before, or is not wanted")),
        ([host(1)], {"forced_host": "gone"}, ("host-1", "the name that was asked for")),
    ],
)  # fmt: skip
def test_the_nearest_miss(hosts: list[Host], wanted: dict[str, Any], miss: tuple[str, str]) -> None:
    found = nearest_miss(fleet(*hosts), request(**wanted), FILTERS)
    assert found is not None
    assert (found.host, found.lacks) == miss


def test_there_is_none_where_there_are_no_hosts() -> None:
    assert nearest_miss(fleet(), request(), FILTERS) is None
