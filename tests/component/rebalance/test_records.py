"""Plans made from real records: servers that booted through the sagas, on both engines."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import delete, update

from kilonova.domain.server import Intent, PowerState
from kilonova.rebalance.model import Goal, Plan, PlanLimits
from kilonova.rebalance.records import Rebalancing
from kilonova.scheduler.settings import SchedulerSettings
from kilonova.store.database import Database
from kilonova.store.queries import hosts, server_facts
from kilonova.store.tables.hosts import hosts as table
from kilonova.store.tables.server_specs import request_specs
from tests.world.plane import TENANT, World


@pytest.fixture
def world(database: Database, tmp_path: Path) -> World:
    return World(database, tmp_path, hosts_count=2)


def switch(world: World, host: str, *, disabled: bool) -> None:
    with world.db.write() as tx:
        tx.execute(update(table).where(table.c.name == host).values(disabled=disabled))
    world.scheduler.refresh()


def three_on_one(world: World) -> list[str]:
    switch(world, "host-1", disabled=True)
    booted = [world.boot() for _ in range(3)]
    world.settle(60)
    switch(world, "host-1", disabled=False)
    assert {world.server(ident).host for ident in booted} == {"host-0"}
    return sorted(booted)


def plan(world: World, goal: Goal = Goal.SPREAD) -> Plan:
    return Rebalancing(world.db, world.clock, SchedulerSettings()).plan(goal, PlanLimits())


def test_a_plan_is_made_of_claims_and_of_what_was_asked_at_the_boot(world: World) -> None:
    booted = three_on_one(world)
    found = plan(world)
    assert (found.hosts, found.servers, found.fixed) == (2, 3, {})
    (move,) = found.moves
    assert (move.server_id, move.source, move.target, move.ram_mib) == (booted[0], "host-0", "host-1", 512)
    assert plan(world) == found


def test_nothing_is_written(world: World) -> None:
    three_on_one(world)
    with world.db.read() as tx:
        before = hosts.every(tx)
    plan(world)
    with world.db.read() as tx:
        assert hosts.every(tx) == before


def test_packing_brings_together_what_was_spread(world: World) -> None:
    booted = {world.boot(), world.boot()}
    world.settle(60)
    assert {world.server(ident).host for ident in booted} == {"host-0", "host-1"}
    found = plan(world, Goal.PACK)
    assert (len(found.moves), found.before, found.after) == (1, 2.0, 1.0)


def test_what_cannot_be_moved_stays_and_is_counted_by_reason(world: World) -> None:
    first, second, third = three_on_one(world)
    with world.db.write() as tx:
        server_facts.observe_power(tx, first, PowerState.SHUTDOWN, Intent.STOPPED, world.clock.now())
        tx.execute(delete(request_specs).where(request_specs.c.server_id == second))
    world.delete_server(TENANT, third)
    found = plan(world)
    assert found.moves == ()
    assert found.fixed == {"being worked on, or failed": 1, "how it was placed is not on record": 1, "not running": 1}


def test_what_the_records_keep_back_is_kept_back(world: World) -> None:
    three_on_one(world)
    with world.db.write() as tx:
        tx.execute(update(table).where(table.c.name == "host-1").values(ram_mib_reserved=4000))
    assert plan(world).moves == ()
