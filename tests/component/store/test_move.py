"""A cloud's records carried into another database, both ways, and compared by other means than the move's own."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import insert, select, text

from kilonova.domain.clock import Ids, SystemClock
from kilonova.domain.errors import Bug, Conflict
from kilonova.identity.bootstrap import CatalogService, ensure_first_start
from kilonova.identity.service import build_identity
from kilonova.store import move as moving
from kilonova.store.database import Database
from kilonova.store.move import move
from kilonova.store.queries import identity as nouns
from kilonova.store.schema import HEAD, current_version, ensure_schema, upgrade, what_lacks
from kilonova.store.tables import metadata
from kilonova.store.tables.compute import key_pairs
from kilonova.store.tables.identity import regions
from kilonova.store.tables.sagas import sagas
from tests import databases
from tests.fakes.identity import cheap_passwords
from tests.world.plane import TENANT, World


@pytest.fixture
def postgresql(postgres: databases.Cluster | None) -> Iterator[Database]:
    if postgres is None:
        pytest.skip("PostgreSQL is not installed: apt-get install postgresql")
    with postgres.empty_database() as url:
        made = Database(url)
        yield made
        made.close()


@pytest.fixture
def sqlite(tmp_path: Path) -> Iterator[Database]:
    made = Database(f"sqlite:///{tmp_path / 'cloud.db'}")
    yield made
    made.close()


@pytest.fixture(params=["sqlite to postgresql", "postgresql to sqlite"])
def pair(request: pytest.FixtureRequest, sqlite: Database, postgresql: Database) -> tuple[Database, Database]:
    """Where from and where to."""
    return (sqlite, postgresql) if request.param == "sqlite to postgresql" else (postgresql, sqlite)


def fill(db: Database, folder: Path) -> None:
    """A cloud that has been used: accounts, servers that run, one that is gone, one that failed, and oddities of values."""
    ensure_schema(db)
    identity = build_identity(db, SystemClock(), Ids(), passwords=cheap_passwords())
    with db.write() as tx:
        ensure_first_start(tx, identity, "http://cloud", (CatalogService("compute", "nova", "/compute"),))
        # Names that sort before their parents', so that the order of rows matters.
        for name, parent in (("zone", None), ("above", "zone"), ("aaa", "above")):
            nouns.add(tx, nouns.Region(id=name, parent_region_id=parent, description="Umläute \N{SNOWMAN} 'quoted'"))
        keys = [
            {"name": f"key-{i}", "user_id": "u", "public_key": "ssh", "fingerprint": "f", "type": "ssh"}
            for i in (1, 2, 3)
        ]
        now = identity.clock.now()
        for row in keys:
            tx.execute(insert(key_pairs).values(**row, created_at=now))
    world = World(db, folder)
    kept, gone = world.boot(), world.boot()
    world.settle(60)
    world.delete_server(TENANT, gone)
    world.settle(60)
    assert world.server(kept).host


def rows(db: Database) -> dict[str, list[tuple[Any, ...]]]:
    """Every row of every table, as the driver gives it, in one order."""
    found = {}
    with db.read() as tx:
        for table in metadata.sorted_tables:
            columns = ", ".join(f'"{column.name}"' for column in table.columns)
            got = tx.connection.exec_driver_sql(f'SELECT {columns} FROM "{table.name}"').fetchall()  # noqa: S608 - our own names
            found[table.name] = sorted((tuple(row) for row in got), key=repr_of_row)
    return found


def repr_of_row(row: tuple[Any, ...]) -> str:
    return repr([int(value) if isinstance(value, bool) else value for value in row])


def test_every_row_arrives_as_it_was(pair: tuple[Database, Database], tmp_path: Path) -> None:
    source, target = pair
    fill(source, tmp_path / "hosts")
    said: list[str] = []
    moved = move(source, target, said.append)
    before, after = rows(source), rows(target)
    assert before.pop("events")
    assert after.pop("events") == []  # readers begin anew there
    assert before == after
    assert moved.rows == sum(map(len, after.values())) > 60
    filled = {name for name, found in after.items() if found}
    assert {"servers", "sagas", "saga_events", "ports", "fixed_ips", "claims", "hosts", "identity_regions"} <= filled
    assert len(filled) > 20
    assert any("servers" in line for line in said)


def test_numbers_go_on_after_the_highest(sqlite: Database, postgresql: Database, tmp_path: Path) -> None:
    fill(sqlite, tmp_path / "hosts")
    move(sqlite, postgresql, lambda _: None)
    fresh = {"name": "next", "user_id": "u", "public_key": "ssh", "fingerprint": "f", "type": "ssh"}
    with postgresql.write() as tx:
        highest = max(row.number for row in tx.execute(select(key_pairs.c.number)))
        tx.execute(insert(key_pairs).values(**fresh, created_at=SystemClock().now()))
        assert tx.execute(select(key_pairs.c.number).where(key_pairs.c.name == "next")).scalar() == highest + 1


def test_what_is_there_already_is_not_touched(sqlite: Database, postgresql: Database, tmp_path: Path) -> None:
    fill(sqlite, tmp_path / "hosts")
    ensure_schema(postgresql)
    with postgresql.write() as tx:
        tx.execute(insert(regions).values(id="mine", description=""))
    before = rows(postgresql)
    with pytest.raises(Conflict, match="not empty: there are rows in identity_regions"):
        move(sqlite, postgresql, lambda _: None)
    assert rows(postgresql) == before


def test_a_difference_moves_nothing(
    sqlite: Database, postgresql: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(sqlite, tmp_path / "hosts")
    copy = moving._copy

    def spoil(real: Any, origin: Any, tx: Any) -> moving.Fingerprint:
        found = copy(real, origin, tx)
        if real is sagas:
            tx.execute(sagas.update().values(message="spoilt"))
        return found

    monkeypatch.setattr(moving, "_copy", spoil)
    with pytest.raises(Bug, match="Table sagas is not the same after the move"):
        move(sqlite, postgresql, lambda _: None)
    assert not any(rows(postgresql).values())


def test_another_releases_cloud_is_not_moved(sqlite: Database, postgresql: Database) -> None:
    upgrade(sqlite, "0003")
    with pytest.raises(Conflict, match=f"schema is 0003, and this release's is {HEAD}"):
        move(sqlite, postgresql, lambda _: None)


def test_two_that_make_or_upgrade_the_schema_at_once_make_it_once(postgresql: Database) -> None:
    problems: list[BaseException] = []

    def make() -> None:
        try:
            ensure_schema(postgresql)
        except BaseException as problem:  # noqa: BLE001 - whatever it is, it is what this test is about
            problems.append(problem)

    for start in (None, "0005"):
        if start is not None:
            with postgresql.engine.begin() as connection:
                connection.execute(text("DROP SCHEMA public CASCADE"))
                connection.execute(text("CREATE SCHEMA public"))
            upgrade(postgresql, start)
            assert "0005" in what_lacks(postgresql)
        threads = [threading.Thread(target=make) for _ in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert problems == []
        assert current_version(postgresql) == HEAD
        assert what_lacks(postgresql) == ""


def test_a_newer_schema_serves_this_release(sqlite: Database) -> None:
    assert "no tables" in what_lacks(sqlite)
    ensure_schema(sqlite)
    with sqlite.write() as tx:
        tx.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    assert what_lacks(sqlite) == ""
