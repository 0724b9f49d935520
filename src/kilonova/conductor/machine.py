"""From a server's records to what a host is told: its disks, and the whole machine. Pure."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from kilonova.conductor.neighbours import ServerNetwork
from kilonova.domain.block_device import BlockDeviceMapping
from kilonova.domain.boot import BootParams
from kilonova.domain.machine import DiskSpec, GuestData, ImageRef, MachineSpec
from kilonova.domain.server import Server


class Disks(msgspec.Struct, frozen=True, kw_only=True):
    """The disks of a machine, with what boots it when it does not boot from one of them."""

    disks: tuple[DiskSpec, ...]
    kernel: ImageRef | None = None
    ramdisk: ImageRef | None = None
    kernel_args: str | None = None


def lacks_images(params: BootParams) -> bool:
    """Whether a boot was accepted by a release that left its images to be looked up later."""
    return any(device.source_type == "image" and device.image is None for device in params.block_devices)


def disks_of(devices: Sequence[BlockDeviceMapping], params: BootParams) -> Disks:
    """A machine's disks, by its server's records, and what boots it."""
    return Disks(
        disks=tuple(map(_disk, devices)), kernel=params.kernel, ramdisk=params.ramdisk, kernel_args=params.kernel_args
    )


def machine_of(server: Server, disks: Disks, network: ServerNetwork, generation: int) -> MachineSpec:
    """The whole machine, as its host is told."""
    properties = {
        key.removeprefix("image_"): value for key, value in server.system_metadata.items() if key.startswith("image_")
    }
    return MachineSpec(
        server_id=server.id, generation=generation, instance_name=server.instance_name, project_id=server.project_id,
        vcpus=server.flavor.vcpus, ram_mib=server.flavor.ram_mib, disks=disks.disks, nics=network.nics,
        guest=guest_of(server, network), kernel=disks.kernel, ramdisk=disks.ramdisk, kernel_args=disks.kernel_args,
        config_drive=server.config_drive or properties.get("img_config_drive") == "mandatory",
        image_properties=properties, extra_specs=server.flavor.extra_specs, flavor_name=server.flavor.name,
    )  # fmt: skip


def guest_of(server: Server, network: ServerNetwork) -> GuestData:
    """What the guest may read of itself."""
    keys = {server.key_name: server.key_public} if server.key_name and server.key_public else {}
    return GuestData(
        server_id=server.id, instance_name=server.instance_name, number=server.number, name=server.name,
        hostname=server.hostname, project_id=server.project_id,
        availability_zone=server.zone or server.availability_zone or "", launch_index=server.launch_index,
        reservation_id=server.reservation_id, instance_type=server.flavor.name, metadata=server.metadata, keys=keys,
        user_data=server.user_data, files=server.personality, links=network.links,
        security_groups=server.security_groups, image_id=server.image_id, admin_pass=server.admin_pass,
    )  # fmt: skip


def _disk(device: BlockDeviceMapping) -> DiskSpec:
    kind, image = device.kind, device.image
    is_cdrom = device.device_type == "cdrom" or (image is not None and image.disk_format == "iso")
    return DiskSpec(
        kind=kind, index=device.position if kind == "data" else 0, image=image, boot_index=device.boot_index, tag=device.tag,
        size_mib=device.size_mib, bus=device.disk_bus or ("ide" if is_cdrom else "virtio"), device=device.device_name,
        device_type="cdrom" if is_cdrom else "disk", filesystem=device.guest_format,
    )  # fmt: skip
