"""What a server was asked to be, and its disks: records beside its row, which outlive the journal of its boot."""

from __future__ import annotations

from sqlalchemy import Boolean, Column, ForeignKey, Index, Integer, String, Table, Text

from kilonova.domain.boot import SchedulingRequest
from kilonova.domain.machine import ImageRef
from kilonova.store.tables.base import Name, Uuid, metadata
from kilonova.store.types import Json

# What hosts are chosen by, and what boots the machine when it does not boot from a disk.
request_specs = Table(
    "request_specs", metadata,
    Column("server_id", Uuid, ForeignKey("servers.id", ondelete="CASCADE"), primary_key=True),
    Column("scheduling", Json(SchedulingRequest), nullable=False),
    Column("kernel", Json(ImageRef)),
    Column("ramdisk", Json(ImageRef)),
    Column("kernel_args", Text),
)  # fmt: skip

# In block_device_mapping_v2's words. `size_mib` 0: the image's own. `position`: as asked for, the flavor's own disks after them.
block_devices = Table(
    "block_devices", metadata,
    Column("server_id", Uuid, ForeignKey("servers.id", ondelete="CASCADE"), primary_key=True),
    Column("position", Integer, primary_key=True),
    Column("source_type", String(16), nullable=False),
    Column("destination_type", String(16), nullable=False),
    Column("boot_index", Integer, nullable=False),
    Column("size_mib", Integer, nullable=False),
    Column("image_id", Uuid),
    Column("image", Json(ImageRef)),
    Column("guest_format", String(32)),
    Column("device_name", Name),
    Column("disk_bus", String(32)),
    Column("device_type", String(32)),
    Column("delete_on_termination", Boolean, nullable=False),
    Column("tag", Name),
    Index("ix_block_devices_image", "image_id"),
)  # fmt: skip
