"""A server's disks: on which bus, under which name, in which boot order."""

from __future__ import annotations

from collections.abc import Iterator
from string import ascii_lowercase

from kilonova.agent.failure import HostFailure
from kilonova.agent.hypervisor.libvirt.hints import Hints
from kilonova.agent.hypervisor.libvirt.layout import InstanceDir
from kilonova.agent.hypervisor.libvirt.model import Disk
from kilonova.domain.machine import DiskSpec, MachineSpec
from kilonova.domain.report import HostFault

_PREFIX = {"virtio": "vd", "scsi": "sd", "sata": "sd", "usb": "sd", "ide": "hd"}
_THROTTLES = tuple(f"{way}_{what}_sec" for way in ("read", "write", "total") for what in ("bytes", "iops"))


def plan_disks(
    spec: MachineSpec, folder: InstanceDir, hints: Hints, *, cache: str, root_format: str
) -> tuple[Disk, ...]:
    """The disks in their order, the config drive last. Raises HostFailure."""
    bus = hints.choice(_PREFIX, "hw_disk_bus") or "virtio"
    cdrom_bus = hints.choice(_PREFIX, "hw_cdrom_bus") or (
        "sata" if "q35" in (hints.text("hw_machine_type") or "") else "ide"
    )
    taken = {name for disk in spec.disks if (name := _asked_name(disk)) is not None}
    throttle = tuple(
        (name, value) for name in _THROTTLES if (value := hints.number(flavor=f"quota:disk_{name}")) is not None
    )
    order = {id(disk): place for place, disk in enumerate(_boot_order(spec.disks), start=1)}
    disks = []
    for disk in spec.disks:
        cdrom = is_cdrom(disk)
        on = disk.bus if disk.bus != "virtio" else (cdrom_bus if cdrom else bus)
        disks.append(
            Disk(
                path=folder.disk(disk),
                format=root_format if disk.image is not None else "raw",
                device="cdrom" if cdrom else "disk",
                bus=on,
                target=_name(_asked_name(disk), on, taken),
                cache=cache,
                order=order.get(id(disk)),
                throttle=() if cdrom else throttle,
            )
        )
    if config_drive_wanted(spec):
        target = _name(None, cdrom_bus, taken)
        disks.append(
            Disk(path=folder.config_drive, format="raw", device="cdrom", bus=cdrom_bus, target=target, cache=cache)
        )
    return tuple(disks)


def config_drive_wanted(spec: MachineSpec) -> bool:
    """Whether the server has a config drive: asked for, or its image insists."""
    return spec.config_drive or spec.image_properties.get("img_config_drive") == "mandatory"


def is_cdrom(disk: DiskSpec) -> bool:
    """An ISO image is a disc, whatever was said of it."""
    return disk.device_type == "cdrom" or (disk.image is not None and disk.image.disk_format == "iso")


def _boot_order(disks: tuple[DiskSpec, ...]) -> list[DiskSpec]:
    """Those to boot from: by their index; with none given, the root disk."""
    indexed = sorted((disk for disk in disks if disk.boot_index >= 0), key=lambda disk: disk.boot_index)
    return indexed or [disk for disk in disks if disk.kind == "root"][:1]


def _asked_name(disk: DiskSpec) -> str | None:
    return disk.device.removeprefix("/dev/") if disk.device else None


def _name(asked: str | None, bus: str, taken: set[str]) -> str:
    """The asked name if it suits the bus (it is only a hint to the guest), else the bus's first free one."""
    if bus not in _PREFIX:
        message = f"Disk bus {bus!r} is not one of {', '.join(sorted(_PREFIX))}."
        raise HostFailure(HostFault(message=message, code=400, elsewhere=False))
    if asked is not None and asked.startswith(_PREFIX[bus]):
        return asked
    name = next(name for name in _names(_PREFIX[bus]) if name not in taken)
    taken.add(name)
    return name


def _names(prefix: str) -> Iterator[str]:
    """From vda to vdz, then vdaa and on."""
    for letter in ascii_lowercase:
        yield prefix + letter
    for first in ascii_lowercase:
        for second in ascii_lowercase:
            yield prefix + first + second
