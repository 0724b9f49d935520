"""What servers were asked to be, and their disks."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from sqlalchemy import bindparam, exists, insert, or_, select

from kilonova.domain.block_device import BlockDeviceMapping
from kilonova.domain.boot import BootParams, SchedulingRequest
from kilonova.domain.server import Lifecycle
from kilonova.store.database import Tx
from kilonova.store.tables.compute import servers
from kilonova.store.tables.server_specs import block_devices, request_specs

_ADD_SPECS, _ADD_DEVICES = insert(request_specs), insert(block_devices)
_DEVICES = (
    select(block_devices).where(block_devices.c.server_id == bindparam("server_id")).order_by(block_devices.c.position)
)
_SCHEDULING = select(request_specs.c.scheduling).where(request_specs.c.server_id == bindparam("server_id"))


def add(tx: Tx, specs: Sequence[BootParams], devices: Sequence[BlockDeviceMapping]) -> None:
    """Write what servers were asked to be, by their `scheduling.server_id`, and their disks."""
    rows = [
        {
            "server_id": one.scheduling.server_id, "scheduling": one.scheduling, "kernel": one.kernel,
            "ramdisk": one.ramdisk, "kernel_args": one.kernel_args,
        }
        for one in specs
    ]  # fmt: skip
    tx.execute(_ADD_SPECS, rows)
    if devices:
        tx.execute(_ADD_DEVICES, [msgspec.structs.asdict(one) for one in devices])


def devices_of(tx: Tx, server_id: str) -> list[BlockDeviceMapping]:
    """A server's disks, in their order."""
    rows = tx.execute(_DEVICES, {"server_id": server_id})
    return [BlockDeviceMapping(**row._mapping) for row in rows]  # noqa: SLF001 - SQLAlchemy's documented row accessor


def scheduling_of(tx: Tx, server_id: str) -> SchedulingRequest | None:
    """What a server's hosts are chosen by; None when a release before this one left no record of it."""
    found = tx.execute(_SCHEDULING, {"server_id": server_id}).first()
    return None if found is None else found.scheduling


def host_needs_image(tx: Tx, host: str, image_id: str) -> bool:
    """Whether a server that is, or is being made, on a host is made of this image: a disk of it, its kernel or its ramdisk."""
    there = (servers.c.host == host, servers.c.lifecycle != Lifecycle.DELETED)
    of_a_disk = exists().where(block_devices.c.server_id == servers.c.id, block_devices.c.image_id == image_id)
    if tx.execute(select(servers.c.id).where(*there, or_(servers.c.image_id == image_id, of_a_disk)).limit(1)).first():
        return True
    parts = select(request_specs.c.kernel, request_specs.c.ramdisk).join(
        servers, servers.c.id == request_specs.c.server_id
    )
    booted_directly = or_(request_specs.c.kernel.is_not(None), request_specs.c.ramdisk.is_not(None))
    return any(
        part is not None and part.id == image_id
        for row in tx.execute(parts.where(*there, booted_directly))
        for part in row
    )
