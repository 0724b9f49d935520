"""A boot that an older release accepted survives the upgrade: what its images are is written into it, as its project sees it."""

from __future__ import annotations

import json
from typing import Any
from uuid import uuid4

import msgspec
import pytest
from alembic import command
from sqlalchemy import insert, select

from kilonova.conductor.machine import lacks_images
from kilonova.domain.boot import BootParams
from kilonova.domain.clock import SystemClock
from kilonova.store.database import Database
from kilonova.store.schema import alembic_config, upgrade
from kilonova.store.tables import metadata
from kilonova.store.tables.image import images
from kilonova.store.tables.sagas import sagas
from tests.fakes.images import image

BEFORE, MINE, THEIRS = "0012", "my-project", "their-project"


def image_row(owner: str, **changes: Any) -> dict[str, Any]:
    one = image(str(uuid4()), owner=owner, visibility="private", created_at=SystemClock().now(), **changes)
    return msgspec.structs.asdict(one)


def old_boot(image_id: str) -> dict[str, Any]:
    params = {
        "scheduling": {"server_id": "s", "project_id": MINE, "vcpus": 1, "ram_mib": 1, "disk_gib": 1}, "nics": [],
        "block_devices": [{"source_type": "image", "destination_type": "local", "image_id": image_id, "boot_index": 0}],
    }  # fmt: skip
    return {
        "id": str(uuid4()), "kind": "boot", "subject_id": str(uuid4()), "project_id": MINE, "request_id": "req",
        "params": json.dumps(params), "status": "ready", "attempt": 1, "cancel": False, "epoch": 0,
        "created_at": SystemClock().now(),
    }  # fmt: skip


@pytest.mark.parametrize("direct", [False, True])
def test_a_boot_under_way_is_told_what_its_images_are(database: Database, direct: bool) -> None:
    with database.engine.begin() as connection:
        metadata.drop_all(connection)
    upgrade(database, BEFORE)
    kernel = image_row(MINE, disk_format="aki", sha512="k" * 128)
    mine = image_row(
        MINE, sha512="m" * 128, properties={"kernel_id": kernel["id"], "os_command_line": "x"} if direct else {}
    )
    stolen = image_row(THEIRS, disk_format="aki")
    thief = image_row(MINE, properties={"kernel_id": stolen["id"]})
    boots = [old_boot(mine["id"]), old_boot(thief["id"]), old_boot(stolen["id"])]
    with database.write() as tx:
        tx.execute(insert(images), [kernel, mine, stolen, thief])
        tx.execute(insert(sagas), boots)
    upgrade(database)
    with database.read() as tx:
        params = {row.id: msgspec.json.decode(row.params, type=BootParams) for row in tx.execute(select(sagas))}
    good, *bad = [params[boot["id"]] for boot in boots]
    root = good.block_devices[0].image
    assert root is not None
    assert (root.id, root.sha512, root.size) == (mine["id"], "m" * 128, mine["size"])
    assert (good.kernel and good.kernel.id) == (kernel["id"] if direct else None)
    assert good.kernel_args == ("x" if direct else None)
    assert [lacks_images(one) for one in (good, *bad)] == [False, True, True]
    assert not any(one.kernel for one in bad)
    with database.engine.begin() as connection:
        command.downgrade(alembic_config(connection), BEFORE)
        told = connection.execute(select(sagas.c.params).where(sagas.c.id == boots[0]["id"])).scalar_one()
    assert json.loads(told)["block_devices"][0]["image_id"] == mine["id"]
