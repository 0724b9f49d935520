# long: one order of locks, held against every pair that could break it
"""
Transactions that need the same rows take them in one order: where they meet, one waits for the other, and neither is ended.

Each of these met on PostgreSQL, and stood in the other's way, before the order was held.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from sqlalchemy import text, update

from kilonova.compute.aggregates import Aggregates, ZoneRefused
from kilonova.compute.request import BootRequest
from kilonova.conductor.kernel.runner import Runner
from kilonova.conductor.sagas.boot import PlaceStep, boot_saga
from kilonova.conductor.sagas.delete import delete_saga
from kilonova.domain.allocation import Claim
from kilonova.domain.boot import NicRequest
from kilonova.domain.placement import Candidate, Decision, Explanation
from kilonova.domain.saga import about_server
from kilonova.domain.server_group import GroupPolicy, ServerGroup
from kilonova.network.changes import Changes
from kilonova.network.ports import NewPort, Ports
from kilonova.store.database import Database
from kilonova.store.queries import aggregates, hosts, networks, quotas, sagas, server_facts, server_groups
from kilonova.store.tables.network import networks as networks_table
from tests import databases
from tests.crossing import Crossing, waiting_for_locks
from tests.waiting import wait_until
from tests.world.plane import FLAVOR, IMAGE, TENANT, OneImage, World

PROJECT = str(TENANT.project_id)
SMALL = {"vcpus": 1, "ram_mib": 512, "disk_gib": 1}


@pytest.fixture
def world(postgres: databases.Cluster | None, tmp_path: Path) -> Iterator[World]:
    if postgres is None:
        pytest.skip("PostgreSQL is not installed: apt-get install postgresql")
    with postgres.database() as url:
        database = Database(url)
        try:
            yield World(database, tmp_path, hosts_count=3)
        finally:
            database.close()


def fill(world: World, name: str) -> None:
    """Claim all that a host has."""
    with world.db.write() as tx:
        host = hosts.by_name(tx, name)
        assert host is not None
        for number in range(100):
            wanted = Claim(server_id=f"{name}-{number}", **SMALL)
            if hosts.claim(tx, host.id, wanted, world.clock.now()) is None:
                return
    raise AssertionError(f"{name} is never full")


def place(world: World, server_id: str, *names: str) -> str:
    """What a boot does first: claim the first of these hosts that has room. Gives its name."""
    with world.db.read() as tx:
        known = {host.name: host for host in hosts.every(tx)}
        saga = sagas.of_subject(tx, about_server(server_id))[0]
    named = [
        Candidate(host_id=known[name].id, host=name, node=name, zone=known[name].zone, generation=0, score=0.0)
        for name in names
    ]
    decision = Decision(candidates=tuple(named), explanation=Explanation(hosts=len(named), steps=()))
    run: Any = SimpleNamespace(
        saga=saga,
        subject_id=server_id,
        params=SimpleNamespace(scheduling=SimpleNamespace(server_id=server_id, **SMALL)),
        now=world.clock.now(),
    )
    with world.db.write() as tx:
        return PlaceStep(world.bus).do(tx, run, decision).host


def another_conductor(world: World, owner: str) -> Runner:
    definitions = (
        boot_saga(world.bus, world.networks),
        delete_saga(world.bus, world.networks),
    )
    return Runner(replace(world.runtime, name=owner), definitions)


def removed(world: World, server_id: str) -> Callable[[], None]:
    """The rest of a server's delete, from the word that its machine is gone: networks, claim and record in one transaction."""
    world.delete_server(TENANT, server_id)
    world.runner.run_due()  # the host is told
    world.clock.advance(1.0)  # and says that it is done
    with world.db.read() as tx:
        saga_id = next(saga.id for saga in sagas.of_subject(tx, about_server(server_id)) if saga.kind == "delete")
    other = another_conductor(world, "another")

    def rest() -> None:
        other.wake(saga_id)
        assert other.run_next()

    return rest


def group(world: World) -> str:
    new = ServerGroup(
        id=world.ids.uuid(), project_id=PROJECT, user_id="somebody", name="g", policy=GroupPolicy.SOFT_ANTI_AFFINITY,
        max_server_per_host=None, members=(), created_at=world.clock.now(),
    )  # fmt: skip
    with world.db.write() as tx:
        server_groups.add(tx, new, 1)
    return new.id


def test_claims_that_walk_over_full_hosts_in_different_orders(world: World) -> None:
    one, other = world.boot(), world.boot()
    fill(world, "host-0")
    fill(world, "host-1")
    found = Crossing(world.db).run(
        (lambda: place(world, one, "host-0", "host-1", "host-2"), "FOR UPDATE"),
        (lambda: place(world, other, "host-1", "host-0", "host-2"), "FOR UPDATE"),
    )
    assert found == ["host-2", "host-2"]


def test_a_host_that_a_claim_could_not_use_is_free_again_at_once(world: World) -> None:
    server_id = world.boot()
    fill(world, "host-0")

    def beat() -> None:
        with world.db.write() as tx:
            tx.execute(text("SET LOCAL lock_timeout = '5s'"))
            hosts.seen(tx, ["host-0"], world.clock.now())

    with world.db.write() as tx, ThreadPoolExecutor(1) as other:
        wanted = Claim(server_id=server_id, **SMALL)
        full, free = hosts.by_name(tx, "host-0"), hosts.by_name(tx, "host-1")
        assert full is not None
        assert free is not None
        assert hosts.claim(tx, full.id, wanted, world.clock.now()) is None
        use = hosts.claim(tx, free.id, wanted, world.clock.now())
        assert use is not None
        other.submit(beat).result(30)  # does not wait
    with world.db.read() as tx:
        assert [(host.servers, host.generation) for host in hosts.every(tx)][1] == (1, use.generation)


def test_a_boot_that_is_counted_and_a_server_that_is_forgotten(world: World) -> None:
    server_id = world.boot()
    world.settle(30)

    def take() -> None:
        with world.db.write() as tx:
            quotas.take(tx, PROJECT, {"instances": 1, "cores": 1, "ram": 512}, quotas.limits(tx, PROJECT))

    def forget() -> None:
        with world.db.write() as tx:
            server_facts.forget(tx, server_facts.get(tx, server_id), world.clock.now())

    Crossing(world.db).run((take, "INSERT INTO quota_usage"), (forget, "UPDATE quota_usage"))
    with world.db.read() as tx:
        assert quotas.used(tx, PROJECT) == {"instances": 1, "cores": 1, "ram": 512}


def test_a_boot_into_a_group_while_one_of_it_is_placed_and_one_of_the_project_deleted(world: World) -> None:
    group_id = group(world)
    leaving = world.boot()
    world.settle(30)
    host = world.server(leaving).host
    assert host is not None
    forget = removed(world, leaving)
    request = BootRequest(name="vm", flavor_ref=FLAVOR, image_ref=IMAGE, hints={"group": group_id})
    coming = world.boot_servers(TENANT, request).server_ids[0]
    Crossing(world.db).run(
        (lambda: world.boot_servers(TENANT, request), "INSERT INTO quota_usage"),
        (lambda: place(world, coming, host), "FROM server_groups"),
        (forget, "UPDATE hosts"),
    )
    with world.db.read() as tx:
        assert len(server_groups.members(tx, group_id)) == 2
        assert quotas.used(tx, PROJECT)["instances"] == 2


def test_a_boot_and_a_delete_on_one_host_and_one_network(world: World) -> None:
    with world.db.write() as tx:
        tx.execute(update(networks_table).values(kind="vxlan"))
        network_id = networks.available(tx, PROJECT)[0].id
    leaving = world.boot()
    world.settle(30)
    host = world.server(leaving).host
    assert host is not None

    def place_and_join() -> None:
        with world.db.write() as tx:
            record = hosts.by_name(tx, host)
            assert record is not None
            wanted = Claim(server_id="new", **SMALL)
            assert hosts.claim(tx, record.id, wanted, world.clock.now()) is not None
            assert networks.find(tx, TENANT, network_id, lock=True) is not None

    Crossing(world.db).run((place_and_join, "INSERT INTO claims"), (removed(world, leaving), "UPDATE networks"))
    assert world.server(leaving).deleted_at is not None


def test_a_port_made_by_hand_and_a_boots_on_one_network(world: World) -> None:
    server_id = world.boot()
    place(world, server_id, "host-0")
    with world.db.read() as tx:
        network_id = networks.available(tx, PROJECT)[0].id
    by_hand = Ports(world.runtime, Changes(world.bus, world.clock))
    wanted: Any = SimpleNamespace(nics=(NicRequest(network_id=network_id),), security_groups=())

    def boot() -> None:
        with world.db.write() as tx:
            world.networks.allocate(tx, server_facts.get(tx, server_id), wanted, world.clock.now())

    Crossing(world.db).run(
        (lambda: by_hand.create(TENANT, [NewPort(network_id=network_id)]), "FROM networks"), (boot, "FROM subnets")
    )


def test_heartbeats_of_many_hosts_and_a_change_of_their_zone(world: World) -> None:
    """Both need both hosts, which lie in the table in another order than that of their ids."""
    with world.db.write() as tx:
        first, second = sorted((host.id, host.name) for host in hosts.every(tx))[:2]
        # Written anew, the first is behind the second, and whoever reads the table through comes to that first.
        aggregates.touch(tx, [first[1]], world.clock.now())
    names = [first[1], second[1]]

    def write(work: Callable[[Any], Any]) -> Callable[[], None]:
        def whole() -> None:
            with world.db.write() as tx:
                work(tx)

        return whole

    heart = write(lambda tx: hosts.seen(tx, names, world.clock.now()))
    zone = write(lambda tx: aggregates.settle_zones(tx, names, world.clock.now()))
    hold_both_back(world, [heart, zone], second[0])


def hold_both_back(world: World, works: list[Callable[[], None]], host_id: str) -> None:
    """Let them come, one after the other, to a host that is held, and then both have it."""

    def hold() -> None:
        with world.db.write() as tx:
            wanted = Claim(server_id="held", **SMALL)
            assert hosts.claim(tx, host_id, wanted, world.clock.now()) is not None
            for number, started in enumerate(begun):
                started.set()
                wait_until(lambda n=number: waiting_for_locks(world.db) > n, "it waits, too", 30)

    begun = [threading.Event() for _ in works]

    def when(started: threading.Event, work: Callable[[], None]) -> Callable[[], None]:
        def later() -> None:
            assert started.wait(30)
            work()

        return later

    nothing = "no such statement"
    Crossing(world.db).run(
        (hold, nothing), *((when(one, work), nothing) for one, work in zip(begun, works, strict=True))
    )


def test_two_aggregates_that_name_a_zone_and_are_given_one_host_at_once(world: World) -> None:
    """One of them is refused, as it is when they come one after the other."""
    use_cases = Aggregates(world.runtime, images=OneImage(world.clock))
    made = [use_cases.create(f"a{number}", f"zone-{number}").number for number in (1, 2)]

    def give(number: int) -> str:
        try:
            use_cases.add_host(number, "host-0")
        except ZoneRefused:
            return "refused"
        return "given"

    outcomes = Crossing(world.db).run(*((partial(give, number), "INSERT INTO aggregate_hosts") for number in made))
    assert sorted(outcomes) == ["given", "refused"]
