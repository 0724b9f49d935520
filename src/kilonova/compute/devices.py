"""
The disks of a new server: what was asked for in block_device_mapping_v2, checked against image and flavor.

Only local disks exist until the block storage service does. What is resolved here is complete but for the flavor's own
ephemeral and swap disks, which the boot saga adds when none of their kind was asked for.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from kilonova.compute.boot_images import check_active, ref_of
from kilonova.compute.request import WantedDevice
from kilonova.domain.boot import BlockDevice
from kilonova.domain.errors import Denied, Rejected
from kilonova.domain.flavor import Flavor
from kilonova.domain.image import Image

_DEVICE = re.compile(r"\A(/dev/)?[a-z]{1,4}d?[a-z]{1,2}[0-9]{0,2}\Z")
_GIB = 1024**3
_NEEDS_VOLUMES = "the block storage service is not enabled in this cloud, so servers cannot have volumes"


def check_image(image: Image, flavor: Flavor, *, allow_zero_disk: bool) -> None:
    """See that a server of this flavor can boot from this image. Raises Rejected or Denied."""
    check_active(image)
    if flavor.ram_mib < image.min_ram:
        raise Rejected("Flavor's memory is too small for requested image.")
    if flavor.disk_gib == 0:
        if not allow_zero_disk:
            raise Denied("Only volume-backed servers are allowed for flavors with zero disk.")
        return
    size = max(image.size or 0, image.virtual_size or 0)
    if flavor.disk_gib * _GIB < size:
        raise Rejected(
            "Flavor's disk is too small for requested image. "
            f"Flavor disk is {flavor.disk_gib * _GIB} bytes, image is {size} bytes."
        )
    if flavor.disk_gib < image.min_disk:
        raise Rejected(
            "Flavor's disk is smaller than the minimum size specified in image metadata. "
            f"Flavor disk is {flavor.disk_gib} GiB, minimum size is {image.min_disk} GiB."
        )


def plan_devices(wanted: Sequence[WantedDevice], image: Image | None, flavor: Flavor) -> tuple[BlockDevice, ...]:
    """The disks, root first. Raises Rejected, naming what is wrong with which entry."""
    devices = [_device(i, device, image) for i, device in enumerate(wanted) if not device.no_device]
    if image is not None and not any(device.boot_index == 0 for device in devices):
        root = BlockDevice(source_type="image", destination_type="local", image=ref_of(image), boot_index=0)
        devices.insert(0, root)
    _check_boot_order(devices)
    _check_sizes(devices, flavor)
    _check_unique("tag", [device.tag for device in devices])
    _check_unique("device_name", [device.device_name for device in devices])
    return tuple(sorted(devices, key=lambda device: device.boot_index if device.boot_index >= 0 else len(devices)))


def _device(index: int, wanted: WantedDevice, image: Image | None) -> BlockDevice:
    where = f"block_device_mapping_v2[{index}]"
    source = wanted.source_type
    destination = wanted.destination_type or ("volume" if source in ("volume", "snapshot") else "local")
    if source is None:
        raise _invalid(where, "source_type is required")
    if source in ("volume", "snapshot") or destination == "volume":
        raise _invalid(where, _NEEDS_VOLUMES)
    boot_index = -1 if wanted.boot_index is None or wanted.boot_index < 0 else wanted.boot_index
    if source == "image" and (boot_index != 0 or image is None or wanted.uuid != image.id):
        raise _invalid(
            where, "an image can only be mapped to a local disk as the root disk, by the uuid that imageRef names"
        )
    if source == "blank" and wanted.uuid is not None:
        raise _invalid(where, "a blank device has no uuid")
    if source == "blank" and boot_index >= 0:
        raise _invalid(where, "a blank disk cannot be booted from")
    if wanted.device_name is not None and not _DEVICE.match(wanted.device_name):
        raise _invalid(where, f"{wanted.device_name[:64]!r} is not a device name such as /dev/vdb")
    return BlockDevice(
        source_type=source, destination_type="local", size_gib=wanted.size, boot_index=boot_index,
        image=ref_of(image) if source == "image" and image is not None else None,
        guest_format=wanted.guest_format, device_name=wanted.device_name and wanted.device_name.removeprefix("/dev/"),
        disk_bus=wanted.disk_bus, device_type=wanted.device_type, tag=wanted.tag,
        delete_on_termination=wanted.delete_on_termination is not False,
    )  # fmt: skip


def _check_boot_order(devices: Sequence[BlockDevice]) -> None:
    order = sorted(device.boot_index for device in devices if device.boot_index >= 0)
    if not order:
        raise Rejected("Invalid imageRef provided: a server needs an image to boot from.")
    if order != list(range(len(order))):
        raise _invalid(
            "block_device_mapping_v2",
            "boot sequence for the instance and image/block device mapping combination is not valid",
        )


def _check_sizes(devices: Sequence[BlockDevice], flavor: Flavor) -> None:
    blank = [device for device in devices if device.source_type == "blank"]
    swaps = [device for device in blank if device.guest_format == "swap"]
    ephemerals = [device for device in blank if device.guest_format != "swap"]
    if len(swaps) > 1:
        raise _invalid("block_device_mapping_v2", "more than one swap drive requested")
    if any((device.size_gib or 0) > flavor.swap_mib for device in swaps) or (swaps and not flavor.swap_mib):
        raise _invalid("block_device_mapping_v2", "swap drive requested is larger than instance type allows")
    largest = flavor.ephemeral_gib
    if sum(device.size_gib or largest for device in ephemerals) > largest or (ephemerals and not largest):
        raise _invalid("block_device_mapping_v2", "ephemeral disks requested are larger than the instance type allows")
    for device in devices:
        if device.boot_index == 0 and device.size_gib and device.size_gib > flavor.disk_gib > 0:
            raise _invalid("block_device_mapping_v2", "the root disk requested is larger than the flavor's")


def _check_unique(what: str, values: Sequence[str | None]) -> None:
    given = [value for value in values if value is not None]
    if len(set(given)) != len(given):
        raise _invalid("block_device_mapping_v2", f"two devices have the same {what}")


def _invalid(where: str, problem: str) -> Rejected:
    return Rejected(f"Block Device Mapping is Invalid: {where}: {problem}.")
