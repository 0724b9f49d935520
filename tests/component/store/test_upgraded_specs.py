"""What servers are made of is in records of its own after the upgrade, from the journals of their boots."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from alembic import command
from sqlalchemy import text

from kilonova.store.database import Database
from kilonova.store.queries import server_specs
from kilonova.store.schema import alembic_config, upgrade
from kilonova.store.tables import metadata
from tests.world.plane import IMAGE, TENANT, World

BEFORE = "0020"
KERNEL = {"id": "33333333-2222-4333-8444-555555555555", "disk_format": "aki", "size": 7, "sha512": "k" * 128}


def downgrade(database: Database) -> None:
    with database.engine.begin() as connection:
        command.downgrade(alembic_config(connection), BEFORE)


def rewrite(database: Database, table: str, column: str, where: str, change: Any) -> None:
    """Change JSON in a journal, as an earlier release may have written it."""
    with database.engine.begin() as connection:
        for key, found in connection.execute(text(f"SELECT id, {column} FROM {table} WHERE {where}")).all():  # noqa: S608
            value = json.loads(found)
            change(value)
            connection.execute(
                text(f"UPDATE {table} SET {column} = :to WHERE id = :id"),  # noqa: S608
                {"to": json.dumps(value), "id": key},
            )


def test_disks_and_requests_are_filled_from_journals(database: Database, tmp_path: Path) -> None:
    with database.engine.begin() as connection:
        metadata.drop_all(connection)
    upgrade(database)
    world = World(database, tmp_path)
    there, gone = world.boot(), world.boot()
    world.settle()
    world.delete_server(TENANT, gone)
    world.settle()
    under_way = world.boot()
    with database.read() as tx:
        devices, scheduling = server_specs.devices_of(tx, there), server_specs.scheduling_of(tx, there)
    downgrade(database)
    rewrite(
        database,
        "sagas",
        "params",
        f"server_id = '{there}' AND kind = 'boot'",
        lambda params: params.update(kernel=KERNEL),
    )
    upgrade(database)
    with database.read() as tx:
        assert [one.image_id for one in devices] == [IMAGE]
        (found,) = server_specs.devices_of(tx, there)
        assert (found.kind, found.size_mib, found.image) == ("root", devices[0].size_mib, devices[0].image)
        assert server_specs.scheduling_of(tx, there) == scheduling
        host = str(world.server(there).host)
        assert server_specs.host_needs_image(tx, host, KERNEL["id"])
        assert server_specs.devices_of(tx, gone)  # until it is purged
        assert server_specs.devices_of(tx, under_way) == []
    world.settle()
    with database.read() as tx:
        assert [one.image_id for one in server_specs.devices_of(tx, under_way)] == [IMAGE]
        assert server_specs.scheduling_of(tx, under_way) is not None
