"""Machines to plan: one plain, and what each case changes of it."""

from __future__ import annotations

from pathlib import Path

import msgspec

from kilonova.agent.hypervisor.libvirt.layout import InstanceDir
from kilonova.agent.hypervisor.libvirt.plan import HostShape
from kilonova.domain.machine import DiskSpec, GuestData, ImageRef, MachineSpec, NicSpec

SERVER = "6a1b8ac6-3f3d-4ca4-8a57-6b2f4e4f5a10"
FOLDER = InstanceDir(Path("/var/lib/kilonova/instances") / SERVER)
TCG = HostShape(kvm=False, arch="x86_64", owner="/var/lib/kilonova", root_format="qcow2", direct_io=True)
KVM = msgspec.structs.replace(TCG, kvm=True)
RAW = msgspec.structs.replace(TCG, root_format="raw", direct_io=False)
QCOW2 = ImageRef(id="img", disk_format="qcow2", size=1, sha512=None)
ISO = ImageRef(id="disc", disk_format="iso", size=1, sha512=None)
KERNEL = ImageRef(id="kernel", disk_format="aki", size=1, sha512=None)
RAMDISK = ImageRef(id="ramdisk", disk_format="ari", size=1, sha512=None)
ROOT = DiskSpec(kind="root", index=0, size_mib=1024, image=QCOW2, boot_index=0)
EPHEMERAL = DiskSpec(kind="ephemeral", index=0, size_mib=1024)
SWAP = DiskSpec(kind="swap", index=0, size_mib=512)
GUEST = GuestData(
    server_id=SERVER,
    instance_name="instance-0000002a",
    number=42,
    name="Web <1>\x07",
    hostname="web-1",
    project_id="demo",
    availability_zone="nova",
    launch_index=0,
    reservation_id="r-1",
    instance_type="m1.tiny",
)
PLAIN = MachineSpec(
    server_id=SERVER,
    generation=3,
    instance_name="instance-0000002a",
    project_id="demo",
    vcpus=1,
    ram_mib=512,
    disks=(ROOT,),
    nics=(),
    guest=GUEST,
    flavor_name="m1.tiny",
)


def nic(number: int, model: str = "virtio") -> NicSpec:
    return NicSpec(
        port_id=f"port{number}",
        network_id="net",
        mac=f"fa:16:3e:00:00:0{number}",
        tap=f"knt00000000000{number}",
        bridge="knb000000000001",
        mtu=1450,
        model=model,
    )


def machine(**changes: object) -> MachineSpec:
    return msgspec.structs.replace(PLAIN, **changes)
