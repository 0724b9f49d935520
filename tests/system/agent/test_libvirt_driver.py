"""The libvirt driver with real libvirtd, QEMU and the tiny guest, under emulation; only the networking is a fake."""

from __future__ import annotations

import base64
import os
import shutil
import subprocess
import tempfile
import uuid
from collections.abc import Iterator
from pathlib import Path

import libvirt
import pytest

from kilonova.agent.failure import HostFailure
from kilonova.domain.machine import DiskSpec
from kilonova.domain.report import Observed
from kilonova.domain.server import PowerState
from kilonova.rpc.commands import UpdateGuestData
from tests.system.agent.libvirt_bench import ISO, QCOW2, ROOTFS, Bench, no_stage, qemu_pids, root
from tests.waiting import wait_until


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
    assert outcome.machine is not None
    assert outcome.machine.root_device == "/dev/vda"
    assert (outcome.machine.vnc_socket or "").endswith(".sock")
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
    again = bench.driver.ensure(command, lambda name, _percent: stages.append(name))
    assert (again.power_state, stages) == (PowerState.RUNNING, [])
    assert qemu_pids(command.spec.instance_name) == pids
    assert bench.images.reads == {"vmlinuz": 1, "initrd": 1}


@pytest.mark.parametrize("last", ["image", "disks", "network", "domain"])
def test_what_a_crash_left_is_gone_on_from_or_removed(bench: Bench, last: str) -> None:
    def crash(name: str, _percent: int) -> None:
        if name == last:
            raise KeyboardInterrupt

    commands = [bench.disk_command(root(QCOW2), config_drive=True) for _ in range(2)]
    for command in commands:
        with pytest.raises(KeyboardInterrupt):
            bench.driver.ensure(command, crash)
        assert command.server_id not in bench.driver.generations("")
    bench.driver.close()
    bench.driver = bench.new_driver()
    finished, removed = commands
    assert bench.driver.ensure(finished, no_stage).power_state is PowerState.RUNNING
    bench.remove(removed.server_id)
    assert bench.states() == {finished.server_id: PowerState.RUNNING}
    assert bench.driver.inventory()["disks"] == ((finished.server_id, finished.server_id),)


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
    assert bench.driver.generations("") == {command.server_id: 1}
    bench.driver.ensure(command, no_stage)
    assert bench.states() == {command.server_id: PowerState.RUNNING}


def test_a_new_driver_knows_what_the_last_one_did(bench: Bench) -> None:
    command = bench.command()
    bench.driver.ensure(command, no_stage)
    bench.driver.close()
    second = bench.new_driver()
    try:
        assert [seen.generation for seen in second.observe()] == [1]
        kept = second.guest_data(command.server_id)
        assert kept is not None
        assert kept.hostname == "box"
        second.update_guest_data(
            UpdateGuestData(command_id="u", server_id=command.server_id, generation=2, guest=command.spec.guest)
        )
        assert second.generations("") == {command.server_id: 2}
        told = second.guest_data(command.server_id)
        assert told is not None
        assert len(base64.b64decode(told.random_seed)) == 512
        assert told.random_seed == kept.random_seed
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
    assert bench.driver.generations("") == {command.server_id: 9}
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
    assert bench.driver.generations("") == {server_id: 3}


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
