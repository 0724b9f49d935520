"""A server's files: its disks, its config drive, its kernel. Each is made once; a second pass makes what is missing."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from kilonova.agent.guestdata.configdrive import config_drive
from kilonova.agent.guestdata.tree import render
from kilonova.agent.hypervisor.libvirt.layout import InstanceDir
from kilonova.agent.hypervisor.libvirt.parts import Parts
from kilonova.agent.hypervisor.libvirt.plan_disks import config_drive_wanted, is_cdrom
from kilonova.agent.images import durable
from kilonova.agent.images.blank import create_blank
from kilonova.agent.images.cache import SHARED
from kilonova.domain.machine import DiskSpec, ImageRef, MachineSpec
from kilonova.private import UNCHANGED

_MIB = 1 << 20


def images_of(spec: MachineSpec) -> Iterator[ImageRef]:
    """Every image a server is made from, each once."""
    images = [spec.kernel, spec.ramdisk, *(disk.image for disk in spec.disks)]
    yield from {image.id: image for image in images if image is not None}.values()


def make_disks(parts: Parts, spec: MachineSpec) -> None:
    """Make the disks that are not there yet. Raises HostFailure."""
    folder = parts.layout.instance(spec.server_id)
    for disk in spec.disks:
        _once(folder.disk(disk), lambda part, disk=disk: _make(parts, disk, part))  # type: ignore[misc]
    for image, path in ((spec.kernel, folder.kernel), (spec.ramdisk, folder.ramdisk)):
        if image is not None:
            _once(path, partial(_link, parts, image), mode=SHARED, group=parts.account.gid)


def make_config_drive(folder: InstanceDir, spec: MachineSpec) -> None:
    """Make the config drive, if the server has one; it holds what was true at its first boot."""
    if config_drive_wanted(spec):
        _once(folder.config_drive, lambda part: _write(part, config_drive(render(spec.guest, config_drive=True))))


def _make(parts: Parts, disk: DiskSpec, path: Path) -> None:
    if disk.image is not None:
        size = 0 if is_cdrom(disk) else disk.size_mib * _MIB
        parts.backend.create(disk.image, path, size)
        return
    filesystem = disk.filesystem or {"swap": "swap", "ephemeral": "ext4"}.get(disk.kind)
    label = f"{disk.kind}{disk.index}"
    create_blank(path, disk.size_mib * _MIB, filesystem=filesystem, label=label, reserved_bytes=parts.reserved_bytes)


def _link(parts: Parts, image: ImageRef, path: Path) -> None:
    os.link(parts.cache.fetch(image).path, path)


def _once(path: Path, make: Callable[[Path], None], *, mode: int = 0o600, group: int = UNCHANGED) -> None:
    """Make a file under another name and rename it, unless it is there."""
    if path.exists():
        return
    part = durable.part_of(path)
    part.unlink(missing_ok=True)
    try:
        make(part)
        durable.publish(part, path, mode=mode, group=group)
    finally:
        part.unlink(missing_ok=True)


def _write(path: Path, content: bytes) -> None:
    path.touch(mode=0o600)
    path.write_bytes(content)
