"""The filter that the page about scheduling shows, installed as another's package is, chosen by the settings the page shows."""

from __future__ import annotations

import random
import re
import tomllib
from pathlib import Path

import msgspec
import pytest

from kilonova.domain.aggregate import Aggregate
from kilonova.scheduler.decide import decide
from kilonova.scheduler.plugins import profile_of
from kilonova.scheduler.ranking import Profile
from kilonova.scheduler.settings import PROFILES, SchedulerSettings
from tests.facts import REPOSITORY
from tests.unit.scheduler.building import NOW, host, request
from tests.unit.scheduler.worlds import World

SECTION = (REPOSITORY / "docs" / "scheduling.md").read_text().partition("## How to write a filter")[2]
PYTHON, PACKAGE, SETTINGS = re.findall(r"```(?:python|toml)\n(.*?)```", SECTION, re.DOTALL)


@pytest.fixture
def profile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Profile:
    """What the page's settings ask for, when the page's package is installed."""
    package = tomllib.loads(PACKAGE)["project"]
    about = tmp_path / f"{package['name']}-{package['version']}.dist-info"
    about.mkdir()
    (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package['name']}\nVersion: {package['version']}\n")
    lines = [
        line
        for group, offered in package["entry-points"].items()
        for line in (f"[{group}]", *(f"{name} = {where}" for name, where in offered.items()))
    ]
    (about / "entry_points.txt").write_text("\n".join(lines))
    (tmp_path / f"{package['name']}.py").write_text(PYTHON)
    monkeypatch.syspath_prepend(tmp_path)
    return profile_of(msgspec.convert(tomllib.loads(SETTINGS)["scheduler"], SchedulerSettings))


def test_the_pages_filter_is_asked_where_the_pages_settings_put_it(profile: Profile) -> None:
    licensed = Aggregate(
        id="a", number=1, name="a", metadata={"licence": "windows"}, hosts=("host-2",), created_at=NOW, updated_at=None
    )
    fleet = World(hosts=(host(1), host(2), host(3)), aggregates=(licensed,)).fleet()
    windows = decide(fleet, request(image_properties={"os_type": "windows"}), profile, random.Random(1))
    assert [one.host for one in windows.candidates] == ["host-2"]
    last = windows.explanation.steps[-1]
    assert (last.name, last.before, last.removed, last.reason) == (
        "LicenceFilter",
        3,
        2,
        "no licence for Windows there",
    )
    other = decide(fleet, request(image_properties={"os_type": "linux"}), profile, random.Random(1))
    assert len(other.candidates) == 3
    assert {each.name: by for each, by in profile.weighers} == PROFILES["packing"] | {"CPUWeigher": 0.5}


def test_the_nearest_miss_is_told_in_its_words(profile: Profile) -> None:
    fleet = World(hosts=(host(1),)).fleet()
    said = decide(
        fleet, request(image_properties={"os_type": "windows"}), profile, random.Random(1)
    ).explanation.sentence()
    assert said.endswith("The host that came closest lacks a licence for Windows.")
