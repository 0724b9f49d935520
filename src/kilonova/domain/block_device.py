"""A server's disks, as its records have them."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from kilonova.domain.boot import BlockDevice
from kilonova.domain.machine import ImageRef
from kilonova.domain.server import Server

_MIB_PER_GIB = 1024


class BlockDeviceMapping(msgspec.Struct, frozen=True, kw_only=True):
    """
    One disk of a server, in block_device_mapping_v2's words, with its size resolved: `size_mib` 0 is the image's own.

    `boot_index` 0 is the root disk, -1 none that boots. `position` is the order in which they were asked for.
    """

    server_id: str
    position: int
    source_type: str  # image, blank
    destination_type: str  # local
    boot_index: int = -1
    size_mib: int = 0
    image_id: str | None = None
    image: ImageRef | None = None
    guest_format: str | None = None  # swap, ext4...
    device_name: str | None = None
    disk_bus: str | None = None
    device_type: str | None = None
    delete_on_termination: bool = True
    tag: str | None = None

    @property
    def kind(self) -> str:
        """root, ephemeral, swap or data."""
        if self.boot_index == 0:
            return "root"
        if self.source_type != "blank":
            return "data"
        return "swap" if self.guest_format == "swap" else "ephemeral"


def mappings_of(server: Server, asked: Sequence[BlockDevice]) -> list[BlockDeviceMapping]:
    """The disks asked for, then the flavor's ephemeral and swap disks when none of their kind were. Pure."""
    found = [_mapping(server, position, device) for position, device in enumerate(asked)]
    kinds, flavor = {one.kind for one in found}, server.flavor
    if flavor.ephemeral_gib and "ephemeral" not in kinds:
        found.append(_blank(server, len(found), flavor.ephemeral_gib * _MIB_PER_GIB, "ext4"))
    if flavor.swap_mib and "swap" not in kinds:
        found.append(_blank(server, len(found), flavor.swap_mib, "swap"))
    return found


def _mapping(server: Server, position: int, device: BlockDevice) -> BlockDeviceMapping:
    made = BlockDeviceMapping(
        server_id=server.id, position=position, source_type=device.source_type, destination_type=device.destination_type,
        boot_index=device.boot_index, image=device.image, image_id=None if device.image is None else device.image.id,
        guest_format=device.guest_format, device_name=device.device_name, disk_bus=device.disk_bus,
        device_type=device.device_type, delete_on_termination=device.delete_on_termination, tag=device.tag,
    )  # fmt: skip
    return msgspec.structs.replace(made, size_mib=_size_mib(server, device, made.kind))


def _size_mib(server: Server, device: BlockDevice, kind: str) -> int:
    """A root disk of size 0 in the flavor keeps the image's own size; a swap's size is the flavor's, in MiB."""
    if kind == "swap":
        return server.flavor.swap_mib
    return (device.size_gib or (server.flavor.disk_gib if kind == "root" else 0)) * _MIB_PER_GIB


def _blank(server: Server, position: int, size_mib: int, guest_format: str) -> BlockDeviceMapping:
    return BlockDeviceMapping(
        server_id=server.id, position=position, source_type="blank", destination_type="local", size_mib=size_mib,
        guest_format=guest_format,
    )  # fmt: skip
