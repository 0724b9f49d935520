"""A cloud whose disk fills up: what makes more is refused in time and says why, what makes less goes on, and nothing is a bug."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.smalldisk import MIB, fill, small_disk
from tests.story.generic.tables import DOORS, SERVICES, Door
from tests.story.hostile.things import own
from tests.story.hostile.world import PASSWORD, World, world
from tests.waiting import wait_until

MAKING = [door for door in DOORS if door.route.grows]


@pytest.fixture
def small(tmp_path: Path) -> Iterator[World]:
    """On a disk of 96 MiB, of which 8 are kept for changes and 12 from uploads."""
    with (
        small_disk(tmp_path / "disk", 96) as disk,
        world(disk, database_reserve_mib=8, image_reserve_mib=12) as made,
    ):
        yield made


def disk_of(cloud: World) -> Path:
    return cloud.cloud.settings.data_dir


def ask(cloud: World, door: Door) -> Any:
    version = door.route.versions.last or SERVICES[door.service].spoken.last
    headers = {"X-Auth-Token": cloud.admin.token, "Content-Type": door.route.media[0]}
    headers["OpenStack-API-Version"] = f"{door.service} {version}"
    return cloud.http.request(door.route.method, door.path(), headers=headers, content=b"{}")


def login(cloud: World) -> int:
    user = {"name": "user-a", "domain": {"id": "default"}, "password": PASSWORD}
    body = {"auth": {"identity": {"methods": ["password"], "password": {"user": user}}}}
    return int(cloud.http.post("/identity/v3/auth/tokens", json=body).status_code)


def test_what_makes_more_is_refused_while_there_is_room_for_the_rest(small: World) -> None:
    things = own(small, small.a)
    server = things.ids["server_id"]
    small.a.settled(server)
    filler = fill(disk_of(small), leave=6 * MIB)
    refused = {door.label: ask(small, door) for door in MAKING}
    assert {label for label, answer in refused.items() if answer.status_code != 507} == set()
    assert all("only left what is kept for deleting" in answer.text for answer in refused.values())
    assert login(small) == 201
    assert small.a.ok("GET", "compute /servers/detail")["servers"]
    small.a.ok("PUT", f"compute /servers/{server}/tags/still")
    small.a.ok("DELETE", f"compute /servers/{server}")
    assert small.a.settled(server) is None
    filler.unlink()
    assert small.a.image()
    assert small.orphans() == {}


def test_a_disk_that_is_full_to_the_brim_is_told_of_and_not_a_bug(small: World) -> None:
    server = small.a.booted(small.a.image())
    small.a.settled(server)
    filler = fill(disk_of(small))

    def is_told_of() -> bool:
        """There is some room inside of the database's own files at first."""
        answer = small.a.send(
            "PUT", f"compute /servers/{server}/metadata", {"metadata": {"a": "x" * 255, "b": "y" * 255}}
        )
        assert answer.status_code in (200, 507), answer.text
        return answer.status_code == 507 and "keeps its records on is full" in answer.text

    wait_until(is_told_of, "a write without room")
    assert login(small) in (201, 507)
    assert small.a.ok("GET", f"compute /servers/{server}")["server"]["status"] == "ACTIVE"
    filler.unlink()
    small.a.ok("PUT", f"compute /servers/{server}/metadata", {"metadata": {"a": "b"}})
    small.a.ok("DELETE", f"compute /servers/{server}")
    assert small.a.settled(server) is None
    assert small.orphans() == {}
