"""What is over is removed when it is old or there is too much of it, what stands stays, and the space comes back."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import delete, func, insert, select, update

from kilonova.domain.retention import Retention
from kilonova.domain.status import status_of
from kilonova.reconcilers.purge import PurgeReconciler
from kilonova.store.database import Database
from kilonova.store.queries import placements, residents, server_specs, servers
from kilonova.store.queries.purge import deleted_servers
from kilonova.store.schema import ensure_schema
from kilonova.store.tables.compute import server_actions
from kilonova.store.tables.compute import servers as server_table
from kilonova.store.tables.growth import ACTIONS_PER_SERVER
from kilonova.store.tables.hosts import hosts
from kilonova.store.tables.image import images
from kilonova.store.tables.sagas import saga_events, sagas, stages
from kilonova.store.tables.server_specs import request_specs
from tests.world.plane import IMAGE, TENANT, World

DAY_S = 86_400.0
HEARTBEAT_S = 120.0


@pytest.fixture
def world(database: Database, tmp_path: Path) -> World:
    return World(database, tmp_path)


def purge(world: World, **kept: Any) -> dict[str, int]:
    return PurgeReconciler(world.db, world.clock, Retention(**kept), pause=lambda _: None).activate()


def pass_days(world: World, days: float) -> None:
    """Let time pass of which the hosts are heard at the end."""
    world.clock.forget_timers()
    world.clock.advance(days * DAY_S)
    with world.db.write() as tx:
        tx.execute(update(hosts).values(seen_at=world.clock.now()))


def active(world: World) -> str:
    server_id = world.boot()
    world.settle()
    assert status_of(world.server(server_id)).status == "ACTIVE"
    return server_id


def deleted(world: World) -> str:
    server_id = active(world)
    world.delete_server(TENANT, server_id)
    world.settle()
    assert status_of(world.server(server_id)).status == "DELETED"
    return server_id


def count(world: World, table: Any) -> int:
    with world.db.read() as tx:
        return int(tx.execute(select(func.count()).select_from(table)).scalar_one())


def kept_ids(world: World) -> set[str]:
    with world.db.read() as tx:
        return set(tx.execute(select(server_table.c.id)).scalars())


def act(world: World, server_id: str, **values: Any) -> None:
    with world.db.write() as tx:
        servers.note_action(
            tx, TENANT, server_id, ident=world.ids.uuid(), action="lock", now=world.clock.now(), **values
        )


def test_a_deleted_server_goes_with_all_that_hung_on_it(world: World) -> None:
    gone = deleted(world)
    act(world, gone)
    assert purge(world)["deleted_servers"] == 0
    pass_days(world, 29)
    assert purge(world)["deleted_servers"] == 0
    pass_days(world, 2)
    assert purge(world)["deleted_servers"] == 1
    assert [count(world, table) for table in (server_table, sagas, saga_events, stages, server_actions)] == [0] * 5


def test_what_a_server_that_is_there_stands_on_stays_and_its_journal_goes(world: World) -> None:
    there, gone = active(world), deleted(world)
    with world.db.write() as tx:
        tx.execute(insert(images), {**_image(world, IMAGE), "status": "deleted", "deleted_at": world.clock.now()})
        devices = server_specs.devices_of(tx, there)
        assert devices
        assert placements.of_server(tx, there)
    pass_days(world, 400)
    did = purge(world)
    assert (did["deleted_servers"], did["ended_sagas"], did["deleted_images"]) == (1, 1, 0)
    assert kept_ids(world) == {there}
    assert [count(world, table) for table in (sagas, saga_events, stages)] == [0, 0, 0]
    with world.db.read() as tx:
        assert placements.of_server(tx, there) == []
        assert server_specs.devices_of(tx, there) == devices
        (resident,) = residents.every(tx)
        assert resident.scheduling is not None
        assert resident.scheduling.server_id == there
        assert server_specs.host_needs_image(tx, resident.host, IMAGE)
    assert gone not in kept_ids(world)
    world.start()  # and it is deleted as any other
    world.delete_server(TENANT, there)
    world.settle()
    assert status_of(world.server(there)).status == "DELETED"


def test_a_journal_that_is_the_only_record_of_a_server_stays(world: World) -> None:
    """As a conductor of the release before leaves it."""
    there = active(world)
    with world.db.write() as tx:
        tx.execute(delete(request_specs))
    pass_days(world, 400)
    assert purge(world)["ended_sagas"] == 0
    with world.db.read() as tx:
        assert placements.of_server(tx, there)


def test_that_a_server_was_sent_to_a_host_that_is_silent_is_remembered(world: World) -> None:
    active(world)
    world.clock.forget_timers()
    with world.db.write() as tx:
        tx.execute(update(hosts).values(seen_at=world.clock.now() - timedelta(hours=1)))
    world.clock.advance(400 * DAY_S)
    assert purge(world)["ended_sagas"] == 0
    pass_days(world, 0)
    assert purge(world)["ended_sagas"] == 1


def test_a_deleted_image_goes_once_nobody_stands_on_it(world: World) -> None:
    there = active(world)
    with world.db.write() as tx:
        tx.execute(insert(images), {**_image(world, IMAGE), "status": "deleted", "deleted_at": world.clock.now()})
    pass_days(world, 31)
    assert purge(world)["deleted_images"] == 0
    world.start()
    world.delete_server(TENANT, there)
    world.settle()
    assert purge(world)["deleted_images"] == 1


def test_a_server_deleted_on_a_host_that_never_came_back_is_remembered(world: World) -> None:
    gone = active(world)
    world.clock.forget_timers()
    world.clock.advance(5)
    with world.db.write() as tx:
        tx.execute(update(hosts).values(forced_down=True))
    world.delete_server(TENANT, gone)
    while world.runner.run_due():
        pass
    assert status_of(world.server(gone)).status == "DELETED"
    world.clock.advance(100 * DAY_S)
    assert purge(world)["deleted_servers"] == 0
    pass_days(world, 0)
    assert purge(world)["deleted_servers"] == 1


def test_more_than_are_kept_go_the_oldest_first(world: World) -> None:
    first, second, third = (deleted(world) for _ in range(3))
    assert purge(world, deleted_servers=2)["deleted_servers"] == 1
    assert kept_ids(world) == {second, third}
    assert first not in kept_ids(world)


def test_actions_go_but_not_who_locked_what_is_locked(world: World) -> None:
    free, locked = active(world), active(world)
    for server_id in (free, locked):
        act(world, server_id)
    with world.db.write() as tx:
        servers.edit(tx, locked, world.clock.now(), locked=True)
    pass_days(world, 91)
    assert purge(world)["actions"] == 1
    with world.db.read() as tx:
        told = servers.last_noted(tx, locked, "lock")
        assert (servers.last_noted(tx, free, "lock"), told and told.project_id) == (None, TENANT.project_id)


def test_of_a_servers_actions_the_newest_are_kept(world: World) -> None:
    server_id = active(world)
    act(world, server_id, message="first")
    for _ in range(ACTIONS_PER_SERVER):
        world.clock.advance(0.001)
        act(world, server_id)
    assert count(world, server_actions) == ACTIONS_PER_SERVER
    with world.db.read() as tx:
        assert set(tx.execute(select(server_actions.c.message)).scalars()) == {None}


@pytest.mark.parametrize(
    "kept", [{"purge": False}, {"deleted_servers_days": 0, "deleted_servers": 0, "actions_days": 0}]
)
def test_it_can_be_switched_off(world: World, kept: dict[str, Any]) -> None:
    gone = deleted(world)
    pass_days(world, 4000)
    purge(world, **kept)
    assert gone in kept_ids(world)


def test_a_second_purge_meanwhile_neither_waits_nor_is_ended(world: World) -> None:
    if world.db.is_sqlite:
        pytest.skip("SQLite has one writer")
    deleted(world)
    pass_days(world, 31)
    with world.db.write() as tx, ThreadPoolExecutor(1) as another:
        assert deleted_servers(tx, world.clock.now()) == 1
        assert another.submit(purge, world).result(60)["deleted_servers"] == 0
    assert kept_ids(world) == set()


def test_large_hints_leave_nothing_behind(tmp_path: Path) -> None:
    """Servers that held 16 MB between them are deleted: the file is short again, and little of it is free."""
    path = tmp_path / "kilonova.db"
    database = Database(f"sqlite:///{path}")
    ensure_schema(database)
    world = World(database, tmp_path)
    model = deleted(world)
    with database.engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
    empty = path.stat().st_size
    with database.write() as tx:
        row = dict(tx.execute(select(server_table).where(server_table.c.id == model)).one()._mapping)
        for number in range(160):
            large = {"hints": {"a": "x" * 100_000}, "id": world.ids.uuid(), "number": 1000 + number}
            tx.execute(insert(server_table), {**row, **large})
    with database.engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
        assert path.stat().st_size > empty + 15_000_000
        pass_days(world, 31)
        did = purge(world)
        assert did["deleted_servers"] == 161
        assert did["pages_given_back"] > 2000
        connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
        free = connection.exec_driver_sql("PRAGMA freelist_count").scalar_one()
        page = connection.exec_driver_sql("PRAGMA page_size").scalar_one()
    assert free <= 1024
    assert path.stat().st_size < empty + 1100 * page
    database.close()


def _image(world: World, ident: str) -> dict[str, Any]:
    now = world.clock.now()
    return {
        "id": ident, "owner": None, "name": "tiny", "visibility": "public", "protected": False, "hidden": False, "min_disk": 0,
        "min_ram": 0, "tags": (), "properties": {}, "created_at": now, "updated_at": now,
    }  # fmt: skip
