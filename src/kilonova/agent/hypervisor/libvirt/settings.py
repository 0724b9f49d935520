"""What the libvirt driver is told when it is made."""

from __future__ import annotations

from pathlib import Path

import msgspec


class LibvirtSettings(msgspec.Struct, frozen=True, kw_only=True):
    """
    Where, what with, and how much is kept back.

    `data_dir` holds all that the driver keeps, and is how it knows its domains for its own; QEMU runs as a user of its own,
    so every folder above must let others pass. `probe_kernel` and `probe_ramdisk`: the guest that shows whether KVM works;
    without them a host is taken to emulate.
    """

    data_dir: Path
    host_name: str
    uri: str = "qemu:///system"
    backend: str = "qcow2"  # or raw: how root disks are kept
    start_daemons: bool = True  # start libvirtd when nothing answers and we may
    accelerator: str = "auto"  # or kvm, tcg: without a probe
    probe_kernel: Path | None = None
    probe_ramdisk: Path | None = None
    probe_timeout_s: float = 10.0
    reserved_disk_mib: int = 512
    image_max_age_s: float = 24 * 3600.0
