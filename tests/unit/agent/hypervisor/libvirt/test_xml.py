"""Domains as libvirt is told of them, held by golden files. KILONOVA_WRITE_GOLDEN=1 writes them anew, to be read in the diff."""

from __future__ import annotations

import os
from pathlib import Path
from xml.etree import ElementTree as ET

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kilonova.agent.hypervisor.libvirt.plan import HostShape, plan_domain
from kilonova.agent.hypervisor.libvirt.xml import NAMESPACE, domain_xml
from kilonova.domain.machine import DiskSpec, MachineSpec
from tests.unit.agent.hypervisor.libvirt.machines import (
    EPHEMERAL,
    FOLDER,
    GUEST,
    ISO,
    KERNEL,
    KVM,
    RAMDISK,
    RAW,
    ROOT,
    SWAP,
    TCG,
    machine,
    nic,
)

GOLDEN = Path(__file__).parent / "golden"
CASES: dict[str, tuple[MachineSpec, HostShape]] = {
    "disk-tcg": (machine(nics=(nic(1),)), TCG),
    "disk-kvm": (machine(nics=(nic(1),), vcpus=4, ram_mib=4096), KVM),
    "disk-flat": (machine(), RAW),
    "kernel": (machine(disks=(), kernel=KERNEL, ramdisk=RAMDISK), TCG),
    "kernel-and-disk": (machine(kernel=KERNEL, kernel_args=None), TCG),
    "kernel-arguments": (machine(kernel=KERNEL, ramdisk=RAMDISK, kernel_args="root=LABEL=x & more"), TCG),
    "iso": (machine(disks=(DiskSpec(kind="root", index=0, size_mib=0, image=ISO, boot_index=0),)), TCG),
    "everything-attached": (
        machine(disks=(ROOT, EPHEMERAL, SWAP), nics=(nic(1), nic(2, "e1000")), config_drive=True),
        TCG,
    ),
    "image-properties": (
        machine(
            config_drive=True,
            nics=(nic(1),),
            image_properties={
                "hw_disk_bus": "scsi",
                "hw_scsi_model": "virtio-scsi",
                "hw_cdrom_bus": "sata",
                "hw_vif_model": "e1000e",
                "hw_machine_type": "q35",
                "hw_video_model": "qxl",
                "hw_video_ram": "16",
                "hw_pointer_model": "usbtablet",
                "hw_qemu_guest_agent": "yes",
                "hw_watchdog_action": "poweroff",
                "hw_serial_port_count": "2",
                "hw_boot_menu": "true",
            },
            extra_specs={"hw_video:ram_max_mb": "16"},
        ),
        KVM,
    ),
    "uefi": (
        machine(image_properties={"hw_firmware_type": "uefi", "hw_machine_type": "q35", "os_secure_boot": "required"}),
        KVM,
    ),
    "extra-specs": (
        machine(
            vcpus=8,
            nics=(nic(1),),
            extra_specs={
                "hw:cpu_sockets": "2",
                "hw:cpu_threads": "2",
                "hw:vif_multiqueue_enabled": "true",
                "hw:hide_hypervisor_id": "true",
                "hw:watchdog_action": "disabled",
                "quota:cpu_shares": "512",
                "quota:cpu_period": "20000",
                "quota:cpu_quota": "-1",
                "quota:disk_read_bytes_sec": "10485760",
                "quota:disk_total_iops_sec": "500",
                "quota:vif_inbound_average": "1000",
                "quota:vif_inbound_burst": "2000",
                "quota:vif_outbound_average": "500",
                "hw_rng:rate_bytes": "1024",
                "hw_rng:rate_period": "1000",
            },
            image_properties={"hw_watchdog_action": "reset"},
        ),
        KVM,
    ),
    "no-rng": (machine(extra_specs={"hw_rng:allowed": "False"}), TCG),
}


@pytest.mark.parametrize("name", CASES)
def test_golden(name: str) -> None:
    spec, host = CASES[name]
    written = domain_xml(plan_domain(spec, FOLDER, host))
    golden = GOLDEN / f"{name}.xml"
    if os.environ.get("KILONOVA_WRITE_GOLDEN"):
        golden.write_text(written)
    assert written == golden.read_text()


def test_no_golden_file_is_left_over() -> None:
    assert {path.stem for path in GOLDEN.iterdir()} == set(CASES)


@given(name=st.text(max_size=50), arguments=st.text(st.characters(exclude_categories=["Cs", "Cc", "Cn"]), max_size=50))
def test_any_name_makes_xml_that_can_be_read(name: str, arguments: str) -> None:
    guest = msgspec.structs.replace(GUEST, name=name)
    spec = machine(guest=guest, kernel=KERNEL, kernel_args=arguments)
    root = ET.fromstring(domain_xml(plan_domain(spec, FOLDER, TCG)))  # noqa: S314 - our own
    label = root.find(f"metadata/{{{NAMESPACE}}}server")
    assert label is not None
    assert label.get("generation") == "3"
    if arguments:
        assert root.findtext("os/cmdline") == arguments
