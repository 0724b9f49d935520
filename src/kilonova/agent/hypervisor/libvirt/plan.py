"""What domain a server becomes: `MachineSpec` in, `Domain` out. Pure, and the only place that knows what each hint means."""

from __future__ import annotations

from pathlib import Path

import msgspec

from kilonova.agent.failure import HostFailure
from kilonova.agent.hypervisor.libvirt.hints import Hints
from kilonova.agent.hypervisor.libvirt.layout import InstanceDir
from kilonova.agent.hypervisor.libvirt.model import Bandwidth, Cpu, DirectBoot, Domain, Label, Nic, Rng
from kilonova.agent.hypervisor.libvirt.plan_disks import plan_disks
from kilonova.domain.machine import MachineSpec, NicSpec
from kilonova.domain.report import HostFault

CONSOLE = "console=tty0 console=ttyS0"
NIC_MODELS = ("virtio", "e1000", "e1000e", "igb", "ne2k_pci", "pcnet", "rtl8139", "vmxnet3")
VIDEO_MODELS = ("bochs", "cirrus", "none", "qxl", "vga", "virtio", "vmvga")
_WATCHDOG_ACTIONS = ("disabled", "none", "pause", "poweroff", "reset")
_MAX_QUEUES = 8
_MAX_SERIAL_PORTS = 4  # a PC's UARTs


class HostShape(msgspec.Struct, frozen=True, kw_only=True):
    """What of the host decides a domain's form."""

    kvm: bool
    arch: str
    owner: str
    root_format: str  # raw or qcow2
    direct_io: bool  # the data directory's file system takes O_DIRECT


def plan_domain(spec: MachineSpec, folder: InstanceDir, host: HostShape) -> Domain:
    """The domain of a server. Raises HostFailure for a hint that makes no sense."""
    hints = Hints(spec.image_properties, spec.extra_specs)
    machine = hints.text("hw_machine_type") or ("pc" if host.arch == "x86_64" else None)
    disks = plan_disks(
        spec, folder, hints, cache="none" if host.direct_io else "writeback", root_format=host.root_format
    )
    uefi, secure_boot = _firmware(hints)
    return Domain(
        uuid=spec.server_id,
        name=spec.instance_name,
        label=_label(spec, host.owner),
        kvm=host.kvm,
        arch=host.arch,
        machine=machine,
        vcpus=spec.vcpus,
        ram_mib=spec.ram_mib,
        cpu=Cpu(mode="host-model" if host.kvm else "maximum", topology=_topology(spec.vcpus, hints)),
        console_log=folder.console_log,
        boot=_direct_boot(
            spec, folder, hints, root=next((f"/dev/{one.target}" for one in disks if one.order == 1), None)
        ),
        uefi=uefi,
        secure_boot=secure_boot,
        boot_menu=hints.flag("hw_boot_menu", "hw:boot_menu"),
        disks=disks,
        scsi_model=_scsi_model(hints) if any(disk.bus == "scsi" for disk in disks) else None,
        nics=tuple(_nic(nic, spec, hints) for nic in spec.nics),
        rng=_rng(hints),
        video=hints.choice(VIDEO_MODELS, "hw_video_model") or "virtio",
        video_ram_mib=_video_ram(hints),
        tablet=hints.choice(("usbtablet",), "hw_pointer_model") is not None or hints.text("hw_input_bus") == "usb",
        watchdog=_watchdog(hints),
        agent=hints.flag("hw_qemu_guest_agent"),
        serial_ports=min(hints.number("hw_serial_port_count", "hw:serial_port_count") or 1, _MAX_SERIAL_PORTS),
        hide_kvm=hints.flag("img_hide_hypervisor_id", "hw:hide_hypervisor_id"),
        cpu_shares=hints.number(flavor="quota:cpu_shares"),
        cpu_period_us=hints.number(flavor="quota:cpu_period"),
        cpu_quota_us=hints.signed("quota:cpu_quota"),
    )


def _label(spec: MachineSpec, owner: str) -> Label:
    return Label(
        server_id=spec.server_id,
        generation=spec.generation,
        name=spec.guest.name,
        project_id=spec.project_id,
        flavor=spec.flavor_name,
        owner=owner,
    )


def _direct_boot(spec: MachineSpec, folder: InstanceDir, hints: Hints, *, root: str | None) -> DirectBoot | None:
    if spec.kernel is None:
        return None
    ramdisk: Path | None = folder.ramdisk if spec.ramdisk is not None else None
    given = spec.kernel_args or hints.text("os_command_line")
    cmdline = given or " ".join(([f"root={root}"] if root else []) + [CONSOLE])
    return DirectBoot(kernel=folder.kernel, ramdisk=ramdisk, cmdline=cmdline)


def _firmware(hints: Hints) -> tuple[bool, bool]:
    """Whether it is UEFI, and whether that must only start what is signed."""
    uefi = hints.choice(("bios", "uefi"), "hw_firmware_type") == "uefi"
    secure = hints.choice(("disabled", "optional", "required"), "os_secure_boot", "os:secure_boot") == "required"
    if secure and not uefi:
        message = "os:secure_boot or os_secure_boot: required, and only UEFI does that: the image must say hw_firmware_type=uefi."
        raise HostFailure(HostFault(message=message, code=400, elsewhere=False))
    return uefi, secure


def _topology(vcpus: int, hints: Hints) -> tuple[int, int, int] | None:
    """Sockets, cores and threads as asked; of several ways, the one with the most sockets, then the most cores."""
    parts = ("sockets", "cores", "threads")
    exact = [hints.number(f"hw_cpu_{part}", f"hw:cpu_{part}") for part in parts]
    most = [hints.number(f"hw_cpu_max_{part}", f"hw:cpu_max_{part}") for part in parts]
    if not any(exact) and not any(most):
        return None
    ways = [
        (sockets, vcpus // sockets // threads, threads)
        for sockets in range(vcpus, 0, -1)
        for threads in range(1, vcpus + 1)
        if vcpus % (sockets * threads) == 0
    ]
    for way in ways:
        if all(
            want in {None, have} and (limit or have) >= have for want, limit, have in zip(exact, most, way, strict=True)
        ):
            return way
    asked = ", ".join(
        f"{part}={want or f'at most {limit}'}"
        for part, want, limit in zip(parts, exact, most, strict=True)
        if want or limit
    )
    raise HostFailure(HostFault(message=f"{vcpus} vCPUs cannot be laid out with {asked}.", code=400, elsewhere=False))


def _scsi_model(hints: Hints) -> str:
    return (
        hints.choice(("buslogic", "lsilogic", "lsisas1068", "lsisas1078", "virtio-scsi", "vmpvscsi"), "hw_scsi_model")
        or "virtio-scsi"
    )


def _nic(nic: NicSpec, spec: MachineSpec, hints: Hints) -> Nic:
    model = nic.model if nic.model != "virtio" else hints.choice(NIC_MODELS, "hw_vif_model") or "virtio"
    many = model == "virtio" and hints.flag("hw_vif_multiqueue_enabled", "hw:vif_multiqueue_enabled") and spec.vcpus > 1
    return Nic(
        mac=nic.mac,
        bridge=nic.bridge,
        tap=nic.tap,
        mtu=nic.mtu,
        model=model,
        queues=min(spec.vcpus, _MAX_QUEUES) if many else None,
        inbound=_bandwidth(hints, "inbound"),
        outbound=_bandwidth(hints, "outbound"),
    )


def _bandwidth(hints: Hints, direction: str) -> Bandwidth | None:
    average, peak, burst = (
        hints.number(flavor=f"quota:vif_{direction}_{what}") for what in ("average", "peak", "burst")
    )
    return None if average is None else Bandwidth(average=average, peak=peak, burst=burst)


def _rng(hints: Hints) -> Rng | None:
    if not hints.flag(flavor="hw_rng:allowed", default=True):
        return None
    rate = hints.number(flavor="hw_rng:rate_bytes")
    return Rng(rate_bytes=rate, rate_period_ms=hints.number(flavor="hw_rng:rate_period") if rate else None)


def _video_ram(hints: Hints) -> int | None:
    """What the image asks for; it is the host's memory beside the flavor's, so the flavor says how much there may be."""
    wanted, most = hints.number("hw_video_ram"), hints.number(flavor="hw_video:ram_max_mb") or 0
    if wanted is not None and wanted > most:
        message = f"hw_video_ram: the image asks for {wanted} MiB, and the flavor allows {most} (hw_video:ram_max_mb)."
        raise HostFailure(HostFault(message=message, code=400, elsewhere=False))
    return wanted


def _watchdog(hints: Hints) -> str | None:
    action = hints.choice(_WATCHDOG_ACTIONS, "hw_watchdog_action", "hw:watchdog_action")
    return None if action == "disabled" else action
