"""The keys of a whole cloud: wrapped from the start, listed without themselves, replaced while it runs; for operators alone."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.story.hostile.world import World, world


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with world(tmp_path_factory.mktemp("cloud")) as made:
        yield made


def test_keys_are_wrapped_and_replaced_and_everybody_stays_logged_in(cloud: World) -> None:
    before = cloud.admin.ok("GET", "kilonova /keys")["keys"]
    assert [(key["state"], key["wrapped"]) for key in before] == [("seals", True)]
    after = cloud.admin.ok("POST", "kilonova /keys/rotate")["keys"]
    assert [(key["state"], key["wrapped"]) for key in after] == [("settles", True), ("seals", True)]
    assert set(after[0]) == {"purpose", "created_at", "state", "wrapped"}
    cloud.a.ok("GET", "compute /servers")
    assert (cloud.cloud.settings.data_dir / "master.key").stat().st_mode & 0o077 == 0


def test_they_are_nobody_elses_to_see_or_replace(cloud: World) -> None:
    for person in (cloud.a, cloud.reader):
        person.refused(403, "GET", "kilonova /keys")
        person.refused(403, "POST", "kilonova /keys/rotate")
