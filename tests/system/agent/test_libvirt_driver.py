"""The libvirt driver with real libvirtd, QEMU and the tiny guest, under emulation; only the networking is a fake."""

from __future__ import annotations

import hashlib
import os
import random
import shutil
import subprocess
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import libvirt
import msgspec
import pytest

from kilonova.agent.hypervisor.failure import HostFailure
from kilonova.agent.hypervisor.libvirt.driver import LibvirtDriver
from kilonova.agent.hypervisor.libvirt.settings import LibvirtSettings
from kilonova.domain.clock import SystemClock
from kilonova.domain.hostnet import HostNetwork
from kilonova.domain.machine import DiskSpec, GuestData, ImageRef, MachineSpec
from kilonova.domain.report import Observed
from kilonova.domain.server import PowerState
from kilonova.rpc.messages import EnsureServer, RemoveServer, SetPower, UpdateGuestData
from tests.facts import REPOSITORY
from tests.fakes.host import ImageShelf, RecordingNetwork

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


def wait_until(level: Callable[[], bool], what: str, seconds: float) -> None:
    end = time.monotonic() + seconds
    while not level():
        assert time.monotonic() < end, f"{what}: not within {seconds} s"
        time.sleep(0.05)


def qemu_pids(instance_name: str) -> list[int]:
    found = subprocess.run(["pgrep", "-f", f"guest={instance_name},"], check=False, capture_output=True, text=True)
    return [int(pid) for pid in found.stdout.split()]


@pytest.fixture
def data_dir() -> Iterator[Path]:
    # QEMU's user must pass through, which the usual temporary folders of a test forbid.
    path = Path(tempfile.mkdtemp(prefix="kilonova-test-", dir="/var/tmp"))
    path.chmod(0o755)
    yield path
    shutil.rmtree(path)


@pytest.fixture
def bench(data_dir: Path) -> Iterator[Bench]:
    bench = Bench(data_dir)
    yield bench
    bench.new_driver().purge()
    bench.driver.close()


@pytest.fixture
def flat_bench(data_dir: Path) -> Iterator[Bench]:
    bench = Bench(data_dir, backend="raw")
    yield bench
    bench.new_driver().purge()
    bench.driver.close()


def test_a_kernel_and_a_ramdisk_boot(bench: Bench) -> None:
    command = bench.command(config_drive=True)
    stages: list[str] = []
    outcome = bench.driver.ensure(command, lambda name, _percent: stages.append(name))
    assert outcome.fault is None
    assert outcome.power_state is PowerState.RUNNING
    assert stages == ["image", "disks", "network", "domain"]
    assert bench.network.calls == [("merge", command.network)]
    assert "hostname box" in bench.wait_for_console(command.server_id, "kilonova-guest: ready")
    assert bench.driver.console_output(command.server_id, 1).startswith("kilonova-guest: ready")
    [seen] = bench.driver.observe()
    assert seen == Observed(server_id=command.server_id, power_state=PowerState.RUNNING, generation=1)


def test_a_qcow2_boots_and_grows_with_ephemeral_and_swap(bench: Bench) -> None:
    ephemeral = DiskSpec(kind="ephemeral", index=0, size_mib=64)
    swap = DiskSpec(kind="swap", index=0, size_mib=32)
    command = bench.disk_command(root(QCOW2, 96), ephemeral, swap)
    outcome = bench.driver.ensure(command, no_stage)
    assert outcome.facts["root_device_name"] == "/dev/vda"
    text = bench.wait_for_console(command.server_id, "kilonova-guest: ready")
    assert "root vda" in text
    assert "vda2 disk=63MiB" in text  # what the boot partition before it leaves of 96
    assert "ephemeral vdb" in text
    assert "swap vdc" in text
    guest = bench.driver.guest_data(command.server_id)
    assert guest is not None
    assert guest.block_devices == {"ami": "vda", "root": "/dev/vda", "ephemeral0": "vdb", "swap0": "vdc"}
    assert guest.admin_pass is None


def test_flat_disks_boot_with_the_kernel_beside_them(flat_bench: Bench) -> None:
    command = flat_bench.command(disks=(root(ROOTFS, 64),))
    flat_bench.driver.ensure(command, no_stage)
    assert "root vda" in flat_bench.wait_for_console(command.server_id, "kilonova-guest: ready")


def test_an_iso_boots_as_a_disc(bench: Bench) -> None:
    command = bench.disk_command(root(ISO, 64))
    bench.driver.ensure(command, no_stage)
    bench.wait_for_console(command.server_id, "kilonova-guest: ready")


def test_repeating_a_command_changes_nothing(bench: Bench) -> None:
    command = bench.command()
    bench.driver.ensure(command, no_stage)
    pids = qemu_pids(command.spec.instance_name)
    assert len(pids) == 1
    stages: list[str] = []
    started = time.monotonic()
    again = bench.driver.ensure(command, lambda name, _percent: stages.append(name))
    assert time.monotonic() - started < 2
    assert (again.power_state, stages) == (PowerState.RUNNING, [])
    assert qemu_pids(command.spec.instance_name) == pids
    assert bench.images.reads == {"vmlinuz": 1, "initrd": 1}


def test_a_machine_that_was_killed_is_made_again_and_its_end_is_told(bench: Bench) -> None:
    told: list[Observed] = []
    bench.driver.watch(told.append)
    command = bench.command()
    bench.driver.ensure(command, no_stage)
    [pid] = qemu_pids(command.spec.instance_name)
    os.kill(pid, 9)
    wait_until(lambda: any(seen.power_state is PowerState.SHUTDOWN for seen in told), "the end is told", 10)
    assert told[-1].server_id == command.server_id
    bench.driver.ensure(command, no_stage)
    assert bench.states() == {command.server_id: PowerState.RUNNING}
    assert qemu_pids(command.spec.instance_name) != [pid]


def test_a_lost_domain_is_defined_again(bench: Bench) -> None:
    command = bench.command()
    bench.driver.ensure(command, no_stage)
    with libvirt.open("qemu:///system") as connection:
        domain = connection.lookupByUUIDString(command.server_id)
        domain.destroy()
        domain.undefine()
    assert bench.states() == {}
    assert bench.driver.generations() == {command.server_id: 1}
    bench.driver.ensure(command, no_stage)
    assert bench.states() == {command.server_id: PowerState.RUNNING}


def test_a_new_driver_knows_what_the_last_one_did(bench: Bench) -> None:
    command = bench.command()
    bench.driver.ensure(command, no_stage)
    bench.driver.close()
    second = bench.new_driver()
    try:
        assert [seen.generation for seen in second.observe()] == [1]
        assert second.all_guest_data()[command.server_id].hostname == "box"
        second.update_guest_data(
            UpdateGuestData(command_id="u", server_id=command.server_id, generation=2, guest=command.spec.guest)
        )
        assert second.generations() == {command.server_id: 2}
    finally:
        second.close()


def test_removing_leaves_nothing_but_the_memory_of_it(bench: Bench) -> None:
    command = bench.disk_command(root(QCOW2), config_drive=True)
    bench.driver.ensure(command, no_stage)
    bench.remove(command.server_id)
    bench.remove(command.server_id)
    assert bench.driver.observe() == []
    assert qemu_pids(command.spec.instance_name) == []
    listed = subprocess.run(
        ["virsh", "-c", "qemu:///system", "list", "--all", "--uuid"], check=True, capture_output=True, text=True
    )
    assert command.server_id not in listed.stdout
    assert list((bench.data_dir / "instances").iterdir()) == []
    assert bench.driver.generations() == {command.server_id: 9}
    assert ("remove_server", command.server_id) in bench.network.calls
    assert bench.driver.inventory() == {"disks": (), "cache_parts": (), "taps": ()}


def test_power(bench: Bench) -> None:
    command = bench.command()
    bench.driver.ensure(command, no_stage)
    server_id = command.server_id
    bench.wait_for_console(server_id, "kilonova-guest: ready")
    assert bench.power(server_id, PowerState.PAUSED) is PowerState.PAUSED
    assert bench.power(server_id, PowerState.RUNNING) is PowerState.RUNNING
    assert bench.power(server_id, PowerState.SUSPENDED) is PowerState.SUSPENDED
    assert bench.states() == {server_id: PowerState.SUSPENDED}
    assert bench.power(server_id, PowerState.RUNNING) is PowerState.RUNNING
    assert bench.power(server_id, PowerState.SHUTDOWN) is PowerState.SHUTDOWN
    assert bench.power(server_id, PowerState.SHUTDOWN) is PowerState.SHUTDOWN
    assert bench.power(server_id, PowerState.RUNNING) is PowerState.RUNNING
    assert bench.power(server_id, PowerState.SHUTDOWN, hard=True, generation=3) is PowerState.SHUTDOWN
    assert bench.driver.generations() == {server_id: 3}


def test_an_image_that_does_not_fit_its_disk_is_refused_everywhere(bench: Bench) -> None:
    command = bench.disk_command(root(QCOW2, 1))
    with pytest.raises(HostFailure, match="flavor's root disk") as raised:
        bench.driver.ensure(command, no_stage)
    assert raised.value.fault.elsewhere is False
    bench.remove(command.server_id)
    assert bench.driver.observe() == []


def test_the_domains_of_others_are_left_alone(bench: Bench) -> None:
    stranger = str(uuid.uuid4())
    name = f"<name>kntest-{stranger[:8]}</name><uuid>{stranger}</uuid>"
    xml = f"<domain type='qemu'>{name}<memory>1024</memory><os><type>hvm</type></os></domain>"
    with libvirt.open("qemu:///system") as connection:
        domain = connection.defineXML(xml)
        try:
            bench.remove(stranger)
            assert bench.driver.observe() == []
            bench.new_driver().purge()
            assert connection.lookupByUUIDString(stranger).name() == domain.name()
        finally:
            domain.undefine()


def test_facts(bench: Bench) -> None:
    facts = bench.driver.facts()
    assert facts.vcpus == os.cpu_count()
    assert facts.ram_mib > 500
    assert facts.hypervisor_type == "QEMU"
    assert facts.hypervisor_version >= 7_000_000
    assert (facts.accelerator, facts.arch) == ("tcg", "x86_64")
    assert "COMPUTE_IMAGE_TYPE_QCOW2" in facts.traits
    assert "load average" in bench.driver.uptime()
