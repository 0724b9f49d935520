"""Filters and weighers by name, ours and others'."""

from __future__ import annotations

from importlib.metadata import EntryPoint, EntryPoints
from typing import ClassVar

import numpy as np
import pytest

from kilonova.domain.boot import SchedulingRequest
from kilonova.domain.errors import Rejected
from kilonova.scheduler import plugins
from kilonova.scheduler.columns import Floats
from kilonova.scheduler.fleet import Fleet
from kilonova.scheduler.plugin import Weigher
from kilonova.scheduler.settings import ALWAYS, FILTERS, WEIGHERS, SchedulerSettings


class OddWeigher(Weigher):
    """Another package's."""

    name: ClassVar = "OddWeigher"

    def score(self, fleet: Fleet, request: SchedulingRequest) -> Floats:
        return np.arange(len(fleet)) % 2.0


@pytest.fixture
def others(monkeypatch: pytest.MonkeyPatch) -> None:
    """A package that offers a weigher and two broken ones."""
    found = plugins.entry_points

    def with_others(*, group: str) -> EntryPoints:
        here = {"OddWeigher": f"{__name__}:OddWeigher", "Broken": "nowhere.at.all:It", "NoWeigher": "builtins:dict"}
        return EntryPoints([*found(group=group), *(EntryPoint(name, at, group) for name, at in here.items())])

    monkeypatch.setattr(plugins, "entry_points", with_others)
    monkeypatch.setitem(__import__("sys").modules, __name__, __import__("types").SimpleNamespace(OddWeigher=OddWeigher))


def test_the_defaults_are_novas_after_what_placement_does() -> None:
    profile = plugins.profile_of(SchedulerSettings())
    assert [each.name for each in profile.filters] == [*ALWAYS, *FILTERS]
    assert {weigher.name: multiplier for weigher, multiplier in profile.weighers} == WEIGHERS


def test_settings_choose_and_order_but_room_is_always_asked_for() -> None:
    settings = SchedulerSettings(
        enabled_filters=("ImagePropertiesFilter", "ResourceFilter", "ComputeFilter"),
        weighers={"DiskWeigher": -2.0}, alternates=0,
    )  # fmt: skip
    profile = plugins.profile_of(settings)
    assert [each.name for each in profile.filters] == [*ALWAYS, "ImagePropertiesFilter", "ComputeFilter"]
    assert [(weigher.name, by) for weigher, by in profile.weighers] == [("DiskWeigher", -2.0)]
    assert profile.candidates == 1


@pytest.mark.usefixtures("others")
def test_another_packages_weigher_is_found_by_its_name() -> None:
    profile = plugins.profile_of(SchedulerSettings(weighers={"OddWeigher": 3.0}))
    assert [(weigher.name, by) for weigher, by in profile.weighers] == [("OddWeigher", 3.0)]


@pytest.mark.usefixtures("others")
@pytest.mark.parametrize(
    ("settings", "said"),
    [
        (SchedulerSettings(enabled_filters=("RetryFilter",)), "There is no RetryFilter among the scheduler's filters"),
        (SchedulerSettings(enabled_filters=("ComputeFilter",) * 2), "ComputeFilter is named twice"),
        (
            SchedulerSettings(weighers={"Broken": 1.0}),
            r"Broken \(nowhere.at.all:It\) cannot be loaded: No module named",
        ),
        (SchedulerSettings(weighers={"NoWeigher": 1.0}), r"NoWeigher \(builtins:dict\) is no Weigher"),
    ],
)
def test_a_name_that_cannot_be_served_is_refused_with_a_remedy(settings: SchedulerSettings, said: str) -> None:
    with pytest.raises(Rejected, match=said) as refused:
        plugins.profile_of(settings)
    assert refused.value.next_step
