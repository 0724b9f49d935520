"""
Every door with somebody else's ids in it: a member of another project, and one of the own project who may only read.

Neither sees a word of what is not theirs nor changes any of it: all of it is looked at before and after.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.story.generic.judge import judge
from tests.story.generic.tables import DOORS, Door, bodies, each
from tests.story.hostile.things import WORD, Things, own
from tests.story.hostile.world import Person, World

GUARDED = [door for door in DOORS if door.route.auth]
WRITES = [door for door in GUARDED if door.route.method != "GET"]


@pytest.fixture(scope="module")
def things(cloud: World) -> Things:
    return own(cloud, cloud.a)


@pytest.fixture(scope="module", autouse=True)
def unharmed(cloud: World, things: Things) -> Iterator[None]:
    before = things.look()
    yield
    assert things.look() == before
    assert cloud.orphans() == {}


def tries(door: Door, things: Things) -> Iterator[tuple[str, bytes]]:
    """The ways to try a door: bodies that could be right, or none."""
    for version in door.versions:
        if door.route.params is None and door.route.action is None:
            yield version, b""
            continue
        if door.route.params is None:
            yield version, json.dumps({door.route.action: None}).encode()
            continue
        known = {**things.paths(door.service, door.route.path), "project_id": things.owner.project_id}
        seen = set()
        for body in bodies(door, version, known):
            content = json.dumps(body).encode()
            if len(content) < 2000 and content not in seen and WORD not in content.decode():
                seen.add(content)
                yield version, content
            if len(seen) > 12:
                break


def send(person: Person, door: Door, path: str, version: str, content: bytes) -> Any:
    headers = {"X-Auth-Token": person.token, "Content-Type": door.route.media[0]}
    if version:
        headers["OpenStack-API-Version"] = f"compute {version}"
    return person.http.request(door.route.method, path, headers=headers, content=content)


# What a path names may be anybody's here: these answer about the caller alone, or about what all may know.
OPEN = {
    "network GET /extensions/{alias}", "compute GET /extensions/{alias}", "compute GET /versions/{version_id}",
    "identity GET /roles/{role_id}", "identity GET /regions/{region_id}", "identity GET /domains/{domain_id}",
    "compute GET /os-quota-class-sets/{name}", "compute GET /os-quota-sets/{project_id}/defaults",
}  # fmt: skip


@each(GUARDED)
def test_a_stranger_sees_nothing_and_changes_nothing(cloud: World, things: Things, door: Door) -> None:
    path = door.path(things.paths(door.service, door.route.path))
    for version, content in tries(door, things):
        answer = send(cloud.b, door, path, version, content)
        judge(answer, (version, content))
        # What the stranger wrote into the URL may come back.
        assert WORD not in answer.text.replace(path, "") or (answer.status_code >= 400 and WORD in path), answer.text
        if "{" in door.route.path and door.label not in OPEN:
            assert answer.status_code in (400, 403, 404, 409, 410, 501, 503), (path, answer.status_code, answer.text)


@each(WRITES)
def test_a_reader_writes_nothing(cloud: World, things: Things, door: Door) -> None:
    path = door.path(things.paths(door.service, door.route.path))
    own_affair = door.service == "identity" or "/os-keypairs" in path  # of the user, whatever the role
    for version, content in tries(door, things):
        answer = send(cloud.reader, door, path, version, content)
        judge(answer, (version, content))
        if not own_affair:
            assert answer.status_code >= 400, (path, content, answer.text)


@each([door for door in GUARDED if "{" not in door.route.path and door.route.method == "GET"])
def test_no_list_shows_a_stranger_anything(cloud: World, things: Things, door: Door) -> None:
    ids = list(things.ids.values())
    wishes = ["", "all_tenants=1", "all_tenants=1&deleted=true", "deleted=true",
    "changes-since=2020-01-01T00:00:00Z", f"project_id={cloud.a.project_id}",
              f"tenant_id={cloud.a.project_id}", f"owner={cloud.a.project_id}", f"user_id={cloud.a.user_id}",
              "host=sim-1", "is_public=None",
              "visibility=all", "visibility=private", "member_status=all", f"name={WORD}", "os_hidden=true",
              "status=DELETED",
              "sort_key=host", f"device_id={things.ids['server_id']}", f"network_id={things.ids['network_id']}",
              f"security_group_id={things.ids['group_id']}", f"reserved={WORD}", *(f"marker={ident}" for ident in ids),
              *(f"id={ident}" for ident in ids)]  # fmt: skip
    for version in door.versions:
        for wish in wishes:
            answer = send(cloud.b, door, f"{door.path()}?{wish}", version, b"")
            judge(answer, wish)
            asked = [ident for ident in [WORD, *ids] if ident in wish]
            text = answer.text.replace(wish, "") if answer.status_code < 400 else ""
            leaked = [ident for ident in [WORD, *ids] if ident in text and ident not in asked]
            assert not leaked, (wish, leaked, answer.text)
            if asked and answer.status_code == 200:
                quiet = json.loads(answer.text)
                assert not any(
                    value
                    for name, value in quiet.items()
                    if name.endswith("s") and "links" not in name and WORD in str(value)
                ), quiet
