"""A domain, as typed values: what `plan.py` decides and `xml.py` writes. Sizes in MiB unless a name says otherwise."""

from __future__ import annotations

from pathlib import Path

import msgspec


class Cpu(msgspec.Struct, frozen=True, kw_only=True):
    """`mode` is libvirt's: host-model, host-passthrough, maximum. A topology is sockets, cores, threads, or none is said."""

    mode: str
    topology: tuple[int, int, int] | None = None


class DirectBoot(msgspec.Struct, frozen=True, kw_only=True):
    """A kernel started by QEMU itself."""

    kernel: Path
    ramdisk: Path | None
    cmdline: str


class Disk(msgspec.Struct, frozen=True, kw_only=True):
    """`device` is disk or cdrom; `target` the name libvirt orders it by; `order` its place in the boot order from 1."""

    path: Path
    format: str
    device: str
    bus: str
    target: str
    cache: str = "none"
    order: int | None = None
    serial: str | None = None
    throttle: tuple[tuple[str, int], ...] = ()  # libvirt's iotune names, bytes or operations a second


class Bandwidth(msgspec.Struct, frozen=True, kw_only=True):
    """One direction's limits in KiB, as libvirt and the flavor's quota:vif_* count."""

    average: int
    peak: int | None = None
    burst: int | None = None


class Nic(msgspec.Struct, frozen=True, kw_only=True):
    """An interface on a bridge; `tap` is its device on the host."""

    mac: str
    bridge: str
    tap: str
    mtu: int
    model: str
    queues: int | None = None
    inbound: Bandwidth | None = None
    outbound: Bandwidth | None = None


class Rng(msgspec.Struct, frozen=True, kw_only=True):
    """Entropy for the guest; at most `rate_bytes` in `rate_period_ms`, when given."""

    rate_bytes: int | None = None
    rate_period_ms: int | None = None


class Label(msgspec.Struct, frozen=True, kw_only=True):
    """What a domain says of itself, and how we know it for ours: `owner` is the data directory that made it."""

    server_id: str
    generation: int
    name: str
    project_id: str
    flavor: str
    owner: str


class Domain(msgspec.Struct, frozen=True, kw_only=True):
    """A whole machine. `kvm` False is emulation (TCG)."""

    uuid: str
    name: str
    label: Label
    kvm: bool
    arch: str
    vcpus: int
    ram_mib: int
    cpu: Cpu
    console_log: Path
    machine: str | None = None  # None: QEMU's default
    boot: DirectBoot | None = None
    uefi: bool = False
    secure_boot: bool = False
    boot_menu: bool = False
    disks: tuple[Disk, ...] = ()
    scsi_model: str | None = None
    nics: tuple[Nic, ...] = ()
    rng: Rng | None = None
    video: str = "virtio"
    video_ram_mib: int | None = None
    tablet: bool = True
    watchdog: str | None = None
    agent: bool = False  # a channel for the QEMU guest agent
    serial_ports: int = 1
    hide_kvm: bool = False
    cpu_shares: int | None = None
    cpu_period_us: int | None = None
    cpu_quota_us: int | None = None
