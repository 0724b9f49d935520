"""
What servers were asked to be, and their disks, in records of their own: they stood in the journals of their boots alone.

Both are filled from there. A boot that has not come to its disks yet is given them by its conductor.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None

_AT_ONCE = 500
_sagas = sa.table("sagas", sa.column("id"), sa.column("kind"), sa.column("server_id"), sa.column("params"))
_servers = sa.table("servers", sa.column("id"))
_events = sa.table(
    "saga_events", sa.column("saga_id"), sa.column("seq"), sa.column("step"), sa.column("event"), sa.column("result")
)


def upgrade() -> None:
    specs, devices = _tables()
    op.drop_index("ix_sagas_ended", "sagas")
    over = sa.text("finished_at IS NOT NULL")
    op.create_index("ix_sagas_finished", "sagas", ["finished_at"], sqlite_where=over, postgresql_where=over)
    for rows in _in_batches(_resolved()):
        found = list({server_id: (params, disks) for server_id, params, disks in rows}.items())
        op.bulk_insert(specs, [_spec(server_id, params) for server_id, (params, _) in found])
        op.bulk_insert(
            devices,
            [_device(server_id, at, disk) for server_id, (_, disks) in found for at, disk in enumerate(disks["disks"])],
        )


def downgrade() -> None:
    over = sa.text("finished_at IS NOT NULL AND kind != 'boot'")
    op.drop_index("ix_sagas_finished", "sagas")
    op.create_index("ix_sagas_ended", "sagas", ["finished_at"], sqlite_where=over, postgresql_where=over)
    op.drop_table("request_specs")
    op.drop_table("block_devices")


def _tables() -> tuple[sa.Table, sa.Table]:
    specs = op.create_table(
        "request_specs",
        sa.Column("server_id", sa.String(length=36), nullable=False),
        sa.Column("scheduling", sa.Text(), nullable=False),
        sa.Column("kernel", sa.Text(), nullable=True),
        sa.Column("ramdisk", sa.Text(), nullable=True),
        sa.Column("kernel_args", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(
            ["server_id"], ["servers.id"], name="fk_request_specs_server_id_servers", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("server_id", name="pk_request_specs"),
    )
    devices = op.create_table(
        "block_devices",
        sa.Column("server_id", sa.String(length=36), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("source_type", sa.String(length=16), nullable=False),
        sa.Column("destination_type", sa.String(length=16), nullable=False),
        sa.Column("boot_index", sa.Integer(), nullable=False),
        sa.Column("size_mib", sa.Integer(), nullable=False),
        sa.Column("image_id", sa.String(length=36), nullable=True),
        sa.Column("image", sa.Text(), nullable=True),
        sa.Column("guest_format", sa.String(length=32), nullable=True),
        sa.Column("device_name", sa.String(length=255), nullable=True),
        sa.Column("disk_bus", sa.String(length=32), nullable=True),
        sa.Column("device_type", sa.String(length=32), nullable=True),
        sa.Column("delete_on_termination", sa.Boolean(), nullable=False),
        sa.Column("tag", sa.String(length=255), nullable=True),
        sa.ForeignKeyConstraint(
            ["server_id"], ["servers.id"], name="fk_block_devices_server_id_servers", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("server_id", "position", name="pk_block_devices"),
    )
    op.create_index("ix_block_devices_image", "block_devices", ["image_id"])
    return specs, devices


def _resolved() -> Iterator[tuple[str, dict[str, Any], dict[str, Any]]]:
    """Servers, their boots' parameters, and the disks that were worked out: the last attempt's."""
    last = sa.select(_events.c.saga_id, sa.func.max(_events.c.seq).label("seq"))
    last = last.where(_events.c.step == "block_devices", _events.c.event == "step_done").group_by(_events.c.saga_id)
    newest = last.subquery()
    query = (
        sa.select(_sagas.c.server_id, _sagas.c.params, _events.c.result)
        .join(_servers, _servers.c.id == _sagas.c.server_id)
        .join(newest, newest.c.saga_id == _sagas.c.id)
        .join(_events, sa.and_(_events.c.saga_id == newest.c.saga_id, _events.c.seq == newest.c.seq))
        .where(_sagas.c.kind == "boot", _events.c.result.is_not(None))
    )
    for row in op.get_bind().execute(query).all():
        yield row.server_id, json.loads(row.params), json.loads(row.result)


def _in_batches(rows: Iterator[Any]) -> Iterator[list[Any]]:
    batch: list[Any] = []
    for row in rows:
        batch.append(row)
        if len(batch) == _AT_ONCE:
            yield batch
            batch = []
    if batch:
        yield batch


def _spec(server_id: str, params: dict[str, Any]) -> dict[str, Any]:
    parts = {part: json.dumps(params[part]) if params.get(part) else None for part in ("kernel", "ramdisk")}
    return {
        "server_id": server_id, "scheduling": json.dumps(params["scheduling"]), "kernel_args": params.get("kernel_args"),
        **parts,
    }  # fmt: skip


def _device(server_id: str, position: int, disk: dict[str, Any]) -> dict[str, Any]:
    image = disk.get("image")
    return {
        "server_id": server_id, "position": position, "source_type": "image" if image else "blank",
        "destination_type": "local", "boot_index": disk.get("boot_index", -1), "size_mib": disk["size_mib"],
        "image_id": image and image["id"], "image": json.dumps(image) if image else None,
        "guest_format": disk.get("filesystem"), "device_name": disk.get("device"), "disk_bus": disk.get("bus"),
        "device_type": disk.get("device_type"), "delete_on_termination": True, "tag": disk.get("tag"),
    }  # fmt: skip
