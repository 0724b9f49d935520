"""`kilonova up --placement`: where servers go follows the profile that the cloud was brought up with."""

from __future__ import annotations

import pytest

from tests.story.cli.conftest import Commands


def hosts_of_three(own: Commands) -> set[str]:
    own.upload_image("tiny")
    names = ["a", "b", "c"]
    for name in names:
        own.ok("boot", name, "--flavor", "m1.small")
    return {own.facts("show", name)["host"] for name in names}


@pytest.mark.parametrize(("profile", "used"), [("packing", 1), ("spreading", 3)])
def test_a_profile_packs_or_spreads(own: Commands, profile: str, used: int) -> None:
    own.up("--hosts", "3", "--placement", profile)
    assert len(hosts_of_three(own)) == used


def test_ratios_are_those_of_hosts_that_join(own: Commands) -> None:
    own.up("--hosts", "1", "--disk-ratio", "0.001")
    own.upload_image("tiny")
    said = own.run("place", "--flavor", "m1.small", "--image", "tiny")
    assert "GiB disk, the most free is" in said.output
