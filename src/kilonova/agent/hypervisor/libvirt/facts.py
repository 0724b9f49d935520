"""What a host can hold and do, as libvirt tells it. Traits are those that are true of every machine made here."""

from __future__ import annotations

import shutil
from pathlib import Path
from xml.etree import ElementTree as ET

import libvirt

from kilonova.agent.hypervisor.libvirt.accelerator import Accelerator
from kilonova.agent.network.port import HostNetworking
from kilonova.domain.host import HostFacts

_COMPUTE_TRAITS = (
    "COMPUTE_NODE",
    "COMPUTE_DEVICE_TAGGING",
    *(f"COMPUTE_IMAGE_TYPE_{name}" for name in ("AKI", "AMI", "ARI", "ISO", "QCOW2", "RAW")),
    *(f"COMPUTE_STORAGE_BUS_{name}" for name in ("IDE", "SATA", "SCSI", "USB", "VIRTIO")),
    *(
        f"COMPUTE_NET_VIF_MODEL_{name}"
        for name in ("E1000", "E1000E", "NE2K_PCI", "PCNET", "RTL8139", "VIRTIO", "VMXNET3")
    ),
    *(f"COMPUTE_GRAPHICS_MODEL_{name}" for name in ("BOCHS", "CIRRUS", "VGA", "VIRTIO")),
)
_ALONE = "127.0.0.1"  # of a host that nobody else can reach
# libvirt's CPU features that have a trait of another spelling; `os-traits` is the list.
_CPU_TRAITS = {
    **{
        name: name.upper()
        for name in ("avx", "avx2", "bmi1", "bmi2", "f16c", "fma3", "mmx", "sha", "sse", "sse2", "ssse3", "svm", "vmx")
    },
    "aes": "AESNI",
    "fma": "FMA3",
    "pni": "SSE3",
    "sse4.1": "SSE41",
    "sse4.2": "SSE42",
    "sse4a": "SSE4A",
    **{f"avx512{name}": f"AVX512{name.upper()}" for name in ("f", "cd", "er", "pf", "bw", "dq", "vl")},
}


def host_facts(
    connection: libvirt.virConnect, data_dir: Path, accelerator: Accelerator, network: HostNetworking
) -> HostFacts:
    """The facts of the host behind a connection."""
    tunnel_ip = network.tunnel_address()
    _model, ram_mib, vcpus, _mhz, cells, sockets, cores, threads = connection.getInfo()
    cpu = ET.fromstring(connection.getCapabilities()).find("host/cpu")  # noqa: S314 - libvirt wrote it
    features = () if cpu is None else tuple(sorted(str(one.get("name")) for one in cpu.findall("feature")))
    kvm = accelerator.name == "kvm"
    return HostFacts(
        vcpus=vcpus,
        ram_mib=ram_mib,
        disk_gib=shutil.disk_usage(data_dir).total >> 30,
        hypervisor_type="QEMU",
        hypervisor_version=connection.getVersion(),
        accelerator=accelerator.name,
        arch=("" if cpu is None else cpu.findtext("arch")) or "x86_64",
        cpu_model=("" if cpu is None else cpu.findtext("model")) or "",
        cpu_topology={"cells": cells, "sockets": sockets, "cores": cores, "threads": threads},
        cpu_features=features,
        address=tunnel_ip or _ALONE,
        tunnel_ip=tunnel_ip,
        addresses=network.addresses(),
        # An emulated machine has the emulator's CPU and not the host's.
        traits=tuple(sorted({*_COMPUTE_TRAITS, *(_cpu_traits(features) if kvm else ())})),
        stats={"accelerator_why": accelerator.why},
    )


def _cpu_traits(features: tuple[str, ...]) -> set[str]:
    return {f"HW_CPU_X86_{_CPU_TRAITS[name]}" for name in features if name in _CPU_TRAITS}
