"""The outbox: each change of a server has its event, in the transaction that made it and in an order that a reader can go by."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from itertools import pairwise
from pathlib import Path

import pytest
from sqlalchemy import text, update

from kilonova.compute.update import Changes, UpdateServerRecord
from kilonova.domain.event import ServerEvent
from kilonova.domain.status import status_of
from kilonova.store.database import Database
from kilonova.store.queries import events
from kilonova.store.queries.purge import events_before
from kilonova.store.schema import upgrade
from kilonova.store.tables import metadata
from kilonova.store.tables.compute import servers
from tests import databases
from tests.world.plane import TENANT, World


@pytest.fixture
def world(database: Database, tmp_path: Path) -> World:
    return World(database, tmp_path)


def read(database: Database, after: int = 0, project_id: str | None = None) -> list[ServerEvent]:
    with database.write() as tx:
        events.number_new(tx)
    with database.read() as tx:
        return events.after(tx, after, 1000, project_id)


def of(found: list[ServerEvent], server_id: str) -> list[ServerEvent]:
    return [one for one in found if one.server_id == server_id]


def test_events_tell_a_servers_life_in_order(world: World) -> None:
    server_id = world.boot()
    world.settle()
    UpdateServerRecord(world.runtime)(TENANT, server_id, Changes(name="new"))
    world.delete_server(TENANT, server_id)
    world.settle()
    told = read(world.db)
    kinds = [one.event_type for one in told if one.event_type != "instance.update"]
    assert kinds == ["instance.create.start", "instance.create.end", "instance.delete.start", "instance.delete.end"]
    assert [one.number for one in told] == sorted({one.number for one in told})
    assert any(one.was is not None and (one.was.name, one.now.name) == ("vm", "new") for one in told)
    for before, after in pairwise(told):
        assert after.was == before.now
        assert after.at >= before.at
    last = status_of(world.server(server_id))
    assert (told[-1].now.vm_state, told[-1].now.task_state, told[-1].now.power_state) == (
        last.vm_state,
        last.task_state,
        last.power_state,
    )
    assert "building" in {one.now.vm_state for one in told}
    assert {"scheduling", "networking", "spawning", "deleting"} & {one.now.task_state for one in told}


def test_what_is_undone_has_no_event_and_what_changes_nothing_has_none(world: World) -> None:
    server_id = world.boot()
    world.settle()
    before = read(world.db)

    def fails() -> None:
        with world.db.write() as tx:
            tx.execute(update(servers).where(servers.c.id == server_id).values(name="never"))
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fails()
    with world.db.write() as tx:
        tx.execute(update(servers).where(servers.c.id == server_id).values(progress=99, name="vm"))
    assert read(world.db) == before


def test_a_project_reads_its_own(world: World) -> None:
    world.boot()
    world.settle()
    assert read(world.db, project_id=TENANT.project_id) == read(world.db) != []
    assert read(world.db, project_id="another") == []


def test_readers_go_on_where_they_were_and_old_events_go(world: World) -> None:
    world.boot()
    world.settle()
    first = read(world.db)
    world.boot()
    world.settle()
    assert [one.number for one in read(world.db, first[-1].number)] == [
        one.number for one in read(world.db)[len(first) :]
    ]
    with world.db.read() as tx:
        oldest, newest = events.span(tx)
    assert (oldest, newest) == (first[0].number - 1, read(world.db)[-1].number)
    with world.db.write() as tx:
        assert events_before(tx, world.clock.now() + timedelta(days=1)) == newest
    with world.db.read() as tx:
        assert events.span(tx) == (0, 0)
    world.boot()
    assert read(world.db)[0].number == newest + 1  # no number is given twice


def test_a_database_that_was_upgraded_writes_them_too(database: Database, tmp_path: Path) -> None:
    with database.engine.begin() as connection:
        metadata.drop_all(connection)
    upgrade(database)
    world = World(database, tmp_path)
    server_id = world.boot()
    world.settle()
    assert next(one.event_type for one in of(read(database), server_id)) == "instance.create.start"


@pytest.fixture
def postgresql(postgres: databases.Cluster | None) -> Iterator[Database]:
    if postgres is None:
        pytest.skip("PostgreSQL is not installed: apt-get install postgresql")
    with postgres.database() as url:
        made = Database(url)
        try:
            yield made
        finally:
            made.close()


def test_who_commits_late_is_read_late_and_not_lost(postgresql: Database, tmp_path: Path) -> None:
    """The transaction that began first, and has the lower ids, is the last to commit."""
    world = World(postgresql, tmp_path)
    slow, quick = world.boot(), world.boot()
    world.settle()
    cursor = read(postgresql)[-1].number
    rename = text("UPDATE servers SET name = :name WHERE id = :id")
    with postgresql.engine.connect() as held:
        held.execute(rename, {"name": "slow", "id": slow})
        with postgresql.write() as tx:
            tx.execute(rename, {"name": "quick", "id": quick})
        [first] = read(postgresql, cursor)
        assert first.now.name == "quick"
        held.commit()
    [second] = read(postgresql, first.number)
    assert second.now.name == "slow"
    assert second.number > first.number
