"""A libvirt driver on a data directory of its own, the tiny guest as images and a fake for networking, for the system tests."""

from __future__ import annotations

import hashlib
import random
import subprocess
import uuid
from pathlib import Path

import msgspec

from kilonova.agent.hypervisor.libvirt.driver import LibvirtDriver
from kilonova.agent.hypervisor.libvirt.settings import LibvirtSettings
from kilonova.domain.clock import SystemClock
from kilonova.domain.hostnet import HostNetwork
from kilonova.domain.machine import DiskSpec, GuestData, ImageRef, MachineSpec
from kilonova.domain.server import PowerState
from kilonova.rpc.commands import EnsureServer, RemoveServer, SetPower
from tests.facts import REPOSITORY
from tests.fakes.host import ImageShelf, RecordingNetwork
from tests.waiting import wait_until

GUEST = REPOSITORY / "build" / "guest"
READY_S = 60.0


def no_stage(_name: str, _percent: int) -> None:
    """Nobody watches."""


def image(name: str, disk_format: str) -> ImageRef:
    content = (GUEST / name).read_bytes()
    return ImageRef(id=name, disk_format=disk_format, size=len(content), sha512=hashlib.sha512(content).hexdigest())


KERNEL, RAMDISK = image("vmlinuz", "aki"), image("initrd", "ari")
ROOTFS, QCOW2, ISO = (
    image("rootfs.img", "ami"),
    image("kilonova-guest.qcow2", "qcow2"),
    image("kilonova-guest.iso", "iso"),
)


def root(of: ImageRef, size_mib: int = 128) -> DiskSpec:
    return DiskSpec(kind="root", index=0, size_mib=size_mib, image=of, boot_index=0)


class Bench:
    """A data directory, a driver on it, and the servers made there."""

    def __init__(self, data_dir: Path, backend: str = "qcow2") -> None:
        self.data_dir = data_dir
        self.network = RecordingNetwork()
        self.images = ImageShelf(
            {one.id: GUEST / one.id for one in (KERNEL, RAMDISK, ROOTFS, QCOW2, ISO)}, chunk=1 << 20
        )
        self.settings = LibvirtSettings(data_dir=data_dir, host_name="here", backend=backend)
        self.driver = self.new_driver()

    def new_driver(self) -> LibvirtDriver:
        return LibvirtDriver(self.settings, self.network, self.images, SystemClock())

    def command(self, **changes: object) -> EnsureServer:
        """A server of a kernel and a ramdisk, unless changed."""
        server_id, number = str(uuid.uuid4()), random.getrandbits(31)
        guest = GuestData(
            server_id=server_id,
            instance_name=f"kntest-{number:08x}",
            number=number,
            name="box",
            hostname="box",
            project_id="p",
            availability_zone="nova",
            launch_index=0,
            reservation_id="r-1",
            instance_type="tiny",
            admin_pass="hush",
        )
        spec = MachineSpec(
            server_id=server_id,
            generation=1,
            instance_name=guest.instance_name,
            project_id="p",
            vcpus=1,
            ram_mib=128,
            disks=(),
            nics=(),
            guest=guest,
            kernel=KERNEL,
            ramdisk=RAMDISK,
        )
        spec = msgspec.structs.replace(spec, **changes)
        return EnsureServer(command_id="c", server_id=server_id, generation=1, spec=spec, network=HostNetwork())

    def disk_command(self, *disks: DiskSpec, **changes: object) -> EnsureServer:
        return self.command(kernel=None, ramdisk=None, disks=disks, **changes)

    def states(self) -> dict[str, PowerState]:
        return {seen.server_id: seen.power_state for seen in self.driver.observe()}

    def wait_for_console(self, server_id: str, text: str) -> str:
        wait_until(lambda: text in self.driver.console_output(server_id, None), f"{text!r} on the console", READY_S)
        return self.driver.console_output(server_id, None)

    def remove(self, server_id: str, generation: int = 9) -> None:
        self.driver.remove(RemoveServer(command_id="r", server_id=server_id, generation=generation))

    def power(
        self, server_id: str, target: PowerState, *, hard: bool = False, generation: int = 2
    ) -> PowerState | None:
        command = SetPower(
            command_id="p", server_id=server_id, generation=generation, target=target, hard=hard, timeout_s=30
        )
        return self.driver.set_power(command).power_state


def qemu_pids(instance_name: str) -> list[int]:
    found = subprocess.run(["pgrep", "-f", f"guest={instance_name},"], check=False, capture_output=True, text=True)
    return [int(pid) for pid in found.stdout.split()]
