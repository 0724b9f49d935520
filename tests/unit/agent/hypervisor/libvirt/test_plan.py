"""What hints mean, and which are refused."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kilonova.agent.failure import HostFailure
from kilonova.agent.hypervisor.libvirt.plan import plan_domain
from kilonova.domain.machine import DiskSpec, MachineSpec
from tests.unit.agent.hypervisor.libvirt.machines import EPHEMERAL, FOLDER, KERNEL, KVM, ROOT, SWAP, TCG, machine, nic


def targets(spec: MachineSpec) -> list[str]:
    return [disk.target for disk in plan_domain(spec, FOLDER, TCG).disks]


@pytest.mark.parametrize(
    ("properties", "specs", "says"),
    [
        ({"hw_disk_bus": "floppy"}, {}, "hw_disk_bus: 'floppy' is not one of ide, sata, scsi, usb, virtio"),
        ({"hw_vif_model": "ne3000"}, {}, "hw_vif_model"),
        ({"hw_video_model": "ega"}, {}, "hw_video_model"),
        ({"hw_qemu_guest_agent": "perhaps"}, {}, "neither true nor false"),
        ({}, {"quota:cpu_shares": "many"}, "quota:cpu_shares: 'many' is not a whole number above zero"),
        ({}, {"quota:cpu_quota": "1.5"}, "not a whole number"),
        ({}, {"hw:cpu_sockets": "3"}, "2 vCPUs cannot be laid out with sockets=3"),
        ({}, {"hw:watchdog_action": "bark"}, "hw:watchdog_action or hw_watchdog_action"),
        ({"hw_video_ram": "64"}, {}, "the flavor allows 0"),
        ({"hw_video_ram": "64"}, {"hw_video:ram_max_mb": "32"}, "the flavor allows 32"),
        ({"hw_video_ram": "9" * 5000}, {"hw_video:ram_max_mb": "32"}, "too large a one"),
        ({"hw_machine_type": "pc\x01"}, {}, "cannot be printed"),
    ],
)
def test_a_hint_that_makes_no_sense_is_refused_by_every_host(
    properties: dict[str, str], specs: dict[str, str], says: str
) -> None:
    with pytest.raises(HostFailure) as raised:
        plan_domain(machine(vcpus=2, nics=(nic(1),), image_properties=properties, extra_specs=specs), FOLDER, KVM)
    assert says in str(raised.value)
    assert raised.value.fault.elsewhere is False


def test_disks_are_named_in_order() -> None:
    assert targets(machine(disks=(ROOT, EPHEMERAL, SWAP), config_drive=True)) == ["vda", "vdb", "vdc", "hda"]


def test_a_name_that_was_asked_for_is_given_and_not_given_twice() -> None:
    asked = DiskSpec(kind="ephemeral", index=0, size_mib=1, device="/dev/vda")
    assert targets(machine(disks=(ROOT, asked))) == ["vdb", "vda"]


def test_a_name_of_another_bus_is_only_a_hint() -> None:
    asked = DiskSpec(kind="ephemeral", index=0, size_mib=1, device="/dev/sdb")
    assert targets(machine(disks=(ROOT, asked))) == ["vda", "vdb"]


def test_there_are_names_for_many_disks() -> None:
    disks = tuple(DiskSpec(kind="data", index=index, size_mib=1) for index in range(28))
    assert targets(machine(disks=disks))[-3:] == ["vdz", "vdaa", "vdab"]


def test_the_root_disk_is_named_to_a_kernel_without_arguments() -> None:
    plan = plan_domain(machine(kernel=KERNEL, image_properties={"hw_disk_bus": "scsi"}), FOLDER, TCG)
    assert plan.boot is not None
    assert plan.boot.cmdline == "root=/dev/sda console=tty0 console=ttyS0"


def test_the_boot_order_is_the_indexes() -> None:
    second = DiskSpec(kind="data", index=0, size_mib=1, boot_index=0)
    first = DiskSpec(kind="root", index=0, size_mib=1, boot_index=1)
    assert [disk.order for disk in plan_domain(machine(disks=(first, second, SWAP)), FOLDER, TCG).disks] == [2, 1, None]


def test_an_image_may_insist_on_a_config_drive() -> None:
    assert targets(machine(image_properties={"img_config_drive": "mandatory"})) == ["vda", "hda"]
    assert targets(machine(image_properties={"img_config_drive": "optional"})) == ["vda"]


@given(vcpus=st.integers(1, 64), most_sockets=st.integers(1, 64), threads=st.sampled_from([1, 2, 4]))
def test_a_topology_has_as_many_processors_as_the_flavor(vcpus: int, most_sockets: int, threads: int) -> None:
    specs = {"hw:cpu_max_sockets": str(most_sockets), "hw:cpu_threads": str(threads)}
    spec = machine(vcpus=vcpus, extra_specs=specs)
    if vcpus % threads:
        with pytest.raises(HostFailure):
            plan_domain(spec, FOLDER, TCG)
        return
    topology = plan_domain(spec, FOLDER, TCG).cpu.topology
    assert topology is not None
    sockets, cores, each = topology
    assert (sockets * cores * each, each) == (vcpus, threads)
    assert sockets <= most_sockets
