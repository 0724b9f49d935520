"""
The late check: servers of a group that are placed at the same moment, by schedulers that know nothing of each other's choices,
keep the group's rule, on both engines.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from kilonova.compute.request import BootRequest
from kilonova.conductor.kernel.definition import TryAgain
from kilonova.conductor.sagas.boot import PlaceStep
from kilonova.domain.placement import Candidate, Decision, Explanation
from kilonova.domain.saga import about_server
from kilonova.domain.server_group import GroupPolicy, ServerGroup
from kilonova.domain.status import status_of
from kilonova.store.database import Database
from kilonova.store.queries import hosts, sagas, server_groups
from tests.world.plane import FLAVOR, IMAGE, TENANT, World

HOSTS = 4


@pytest.fixture
def world(database: Database, tmp_path: Path) -> World:
    return World(database, tmp_path, hosts_count=HOSTS)


def group(world: World, policy: GroupPolicy, most: int | None = None) -> str:
    new = ServerGroup(
        id=world.ids.uuid(), project_id=str(TENANT.project_id), user_id="somebody", name="g", policy=policy,
        max_server_per_host=most, members=(), created_at=world.clock.now(),
    )  # fmt: skip
    with world.db.write() as tx:
        server_groups.add(tx, new, 1)
    return new.id


def ask(world: World, group_id: str, count: int) -> tuple[str, ...]:
    request = BootRequest(name="vm", flavor_ref=FLAVOR, image_ref=IMAGE, min_count=count, hints={"group": group_id})
    return world.boot_servers(TENANT, request).server_ids


def blind(world: World, first: int) -> Decision:
    """Every host, as a scheduler names them that knows of no group; each begins elsewhere."""
    with world.db.read() as tx:
        known = hosts.every(tx)
    named = [
        Candidate(host_id=host.id, host=host.name, node=host.name, zone=host.zone, generation=0, score=0.0)
        for host in known[first:] + known[:first]
    ]
    return Decision(candidates=tuple(named), explanation=Explanation(hosts=len(known), steps=()))


def place_at_once(world: World, server_ids: tuple[str, ...]) -> list[bool]:
    """All of them in threads that begin together; whether each found a host."""
    start = threading.Barrier(len(server_ids))

    def place(turn: int) -> bool:
        with world.db.read() as tx:
            saga = next(iter(sagas.of_subject(tx, about_server(server_ids[turn]))))
        scheduling = SimpleNamespace(server_id=server_ids[turn], vcpus=1, ram_mib=1, disk_gib=1)
        params = SimpleNamespace(scheduling=scheduling)
        run: Any = SimpleNamespace(saga=saga, subject_id=server_ids[turn], params=params, now=world.clock.now())
        decision = blind(world, turn % HOSTS)
        start.wait(30)
        try:
            with world.db.write() as tx:
                PlaceStep(world.bus).do(tx, run, decision)
        except TryAgain:
            return False
        return True

    with ThreadPoolExecutor(len(server_ids)) as pool:
        return list(pool.map(place, range(len(server_ids))))


@pytest.mark.parametrize(
    ("policy", "most", "holds", "placed"),
    [
        (GroupPolicy.ANTI_AFFINITY, None, lambda counts: set(counts) == {1}, 4),
        (GroupPolicy.ANTI_AFFINITY, 2, lambda counts: set(counts) == {2}, 8),
        (GroupPolicy.AFFINITY, None, lambda counts: len(counts) == 1, 10),
    ],
)
def test_servers_placed_at_once_keep_their_groups_rule(
    world: World, policy: GroupPolicy, most: int | None, holds: Callable[[list[int]], bool], placed: int
) -> None:
    group_id = group(world, policy, most)
    server_ids = ask(world, group_id, 10)
    assert sum(place_at_once(world, server_ids)) == placed
    with world.db.read() as tx:
        counts = list(server_groups.counters(tx)[group_id].values())
    assert holds(counts), counts


def test_an_anti_affine_group_is_spread_by_the_whole_plane(world: World) -> None:
    group_id = group(world, GroupPolicy.ANTI_AFFINITY)
    server_ids = ask(world, group_id, HOSTS)
    world.settle()
    assert {world.server(one).host for one in server_ids} == set(world.names)
    assert {status_of(world.server(one)).status for one in server_ids} == {"ACTIVE"}
    world.delete_server(TENANT, server_ids[0])
    world.settle()
    with world.db.read() as tx:
        assert server_groups.members(tx, group_id) == server_ids[1:]
