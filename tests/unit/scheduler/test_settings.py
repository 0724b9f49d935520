"""A scheduler's settings as a TOML file says them, and what is said of a wrong one."""

from __future__ import annotations

import tomllib

import msgspec
import pytest

from kilonova.domain.host import HostDefaults
from kilonova.scheduler.plugins import profile_of
from kilonova.scheduler.settings import PROFILES, WEIGHERS, SchedulerSettings


def read(text: str) -> SchedulerSettings:
    return msgspec.convert(tomllib.loads(text), SchedulerSettings)


def test_a_table_says_filters_in_order_and_a_profile_with_changes() -> None:
    settings = read("""
        profile = "packing"
        enabled_filters = ["NumInstancesFilter", "ComputeFilter"]
        max_instances_per_host = 20
        [multipliers]
        CPUWeigher = 0.5
        [metrics]
        watts = -1.0
    """)
    profile = profile_of(settings)
    assert [each.name for each in profile.filters][-2:] == ["NumInstancesFilter", "ComputeFilter"]
    assert {each.name: by for each, by in profile.weighers} == PROFILES["packing"] | {"CPUWeigher": 0.5}
    assert (settings.max_instances_per_host, settings.metrics) == (20, {"watts": -1.0})


def test_weighers_that_are_named_take_the_profiles_place() -> None:
    assert read('profile = "packing"\n[weighers]\nRAMWeigher = 2.0').mixture == {"RAMWeigher": 2.0}
    assert read("").mixture == WEIGHERS


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('profile = "packed"', r"Invalid enum value 'packed' - at `\$.profile`"),
        ("enabled_filter = []", "unknown field `enabled_filter`"),
        ('enabled_filters = "ComputeFilter"', r"Expected `array`, got `str` - at `\$.enabled_filters`"),
        ('[multipliers]\nRAMWeigher = "much"', r"Expected `float`, got `str` - at `\$.multipliers"),
        ("alternates = -1", r"Expected `int` >= 0 - at `\$.alternates`"),
        ("refresh_s = 0", r"Expected `float` > 0.0 - at `\$.refresh_s`"),
        ("workers = 0", r"Expected `int` >= 1 - at `\$.workers`"),
    ],
)
def test_a_wrong_value_is_refused_with_its_place(text: str, said: str) -> None:
    with pytest.raises(msgspec.ValidationError, match=said):
        read(text)


def test_how_hosts_are_set_up_is_said_in_the_same_way() -> None:
    given = tomllib.loads("cpu_ratio = 4.0\nram_mib_reserved = 512")
    assert msgspec.convert(given, HostDefaults) == HostDefaults(cpu_ratio=4.0, ram_mib_reserved=512)
    for wrong, said in ({"ram_ratio": 0}, "> 0.0"), ({"disk_gib_reserved": -1}, ">= 0"), ({"cpu": 1}, "unknown field"):
        with pytest.raises(msgspec.ValidationError, match=said):
            msgspec.convert(wrong, HostDefaults)
