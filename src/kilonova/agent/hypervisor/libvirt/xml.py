"""
A `Domain` written as libvirt's XML. Pure: the same value gives the same text, and golden files hold it.

What is not obvious in it:
- The system's product name is `OpenStack Compute`: cloud-init looks there to learn that it should ask OpenStack's metadata
  service at all, and gives up after a glance on a machine that says otherwise.
- The first serial port is a pty with a log: virtlogd writes and bounds the file, so the log neither fills the host's disk nor
  dies with libvirtd, and a person may attach to the same port.
- The screen is served on a socket that libvirt makes beside the machine's monitor, in a folder of QEMU's user alone: a port of
  loopback would be every local user's.
- Every disk names its format: nobody ever probes a guest's bytes.
"""

from __future__ import annotations

from xml.etree.ElementTree import Element, SubElement, indent, tostring

from kilonova.agent.hypervisor.libvirt.model import Bandwidth, Disk, Domain, Nic

NAMESPACE = "urn:kilonova:server:1"
PRODUCT = "OpenStack Compute"
VENDOR = "Kilonova"


def domain_xml(domain: Domain) -> str:
    """The domain's definition."""
    root = Element("domain", type="kvm" if domain.kvm else "qemu")
    _text(root, "name", domain.name)
    _text(root, "uuid", domain.uuid)
    _label(SubElement(root, "metadata"), domain)
    _text(root, "memory", domain.ram_mib, unit="MiB")
    _text(root, "vcpu", domain.vcpus)
    _cputune(root, domain)
    _sysinfo(root, domain)
    _os(root, domain)
    _features(root, domain)
    _cpu(root, domain)
    _clock(root, domain)
    for event, action in (("poweroff", "destroy"), ("reboot", "restart"), ("crash", "destroy")):
        _text(root, f"on_{event}", action)
    _power_management(root)
    _devices(SubElement(root, "devices"), domain)
    indent(root)
    return tostring(root, encoding="unicode") + "\n"


def _text(parent: Element, tag: str, value: object, **attributes: str) -> Element:
    child = SubElement(parent, tag, attributes)
    child.text = str(value)
    return child


def _label(parent: Element, domain: Domain) -> None:
    label = domain.label
    attributes = {"id": label.server_id, "generation": str(label.generation), "owner": label.owner}
    ours = SubElement(parent, "kilonova:server", {"xmlns:kilonova": NAMESPACE, **attributes})
    for tag, value in (("name", label.name), ("project", label.project_id), ("flavor", label.flavor)):
        _text(ours, f"kilonova:{tag}", _printable(value))


def _printable(text: str) -> str:
    """XML cannot hold control characters, not even escaped; a server's name may."""
    return "".join(letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in text)


def _cputune(root: Element, domain: Domain) -> None:
    values = (("shares", domain.cpu_shares), ("period", domain.cpu_period_us), ("quota", domain.cpu_quota_us))
    given = [(tag, value) for tag, value in values if value is not None]
    if given:
        cputune = SubElement(root, "cputune")
        for tag, value in given:
            _text(cputune, tag, value)


def _sysinfo(root: Element, domain: Domain) -> None:
    system = SubElement(SubElement(root, "sysinfo", type="smbios"), "system")
    entries = {
        "manufacturer": VENDOR,
        "product": PRODUCT,
        "serial": domain.uuid,
        "uuid": domain.uuid,
        "family": "Virtual Machine",
    }
    for name, value in entries.items():
        _text(system, "entry", value, name=name)


def _os(root: Element, domain: Domain) -> None:
    os = SubElement(root, "os", {"firmware": "efi"} if domain.uefi else {})
    kind = _text(os, "type", "hvm", arch=domain.arch)
    if domain.machine is not None:
        kind.set("machine", domain.machine)
    if domain.uefi:
        SubElement(
            SubElement(os, "firmware"), "feature", name="secure-boot", enabled="yes" if domain.secure_boot else "no"
        )
    if domain.boot is not None:
        _text(os, "kernel", domain.boot.kernel)
        if domain.boot.ramdisk is not None:
            _text(os, "initrd", domain.boot.ramdisk)
        _text(os, "cmdline", domain.boot.cmdline)
    if domain.boot_menu:
        SubElement(os, "bootmenu", enable="yes")
    if domain.arch in {"x86_64", "i686"}:
        SubElement(os, "smbios", mode="sysinfo")


def _features(root: Element, domain: Domain) -> None:
    features = SubElement(root, "features")
    for name in ("acpi", "apic"):
        SubElement(features, name)
    if domain.hide_kvm:
        SubElement(SubElement(features, "kvm"), "hidden", state="on")
    if domain.secure_boot:
        SubElement(features, "smm", state="on")


def _cpu(root: Element, domain: Domain) -> None:
    cpu = SubElement(root, "cpu", mode=domain.cpu.mode)
    if domain.cpu.topology is not None:
        sockets, cores, threads = domain.cpu.topology
        SubElement(cpu, "topology", sockets=str(sockets), cores=str(cores), threads=str(threads))


def _clock(root: Element, domain: Domain) -> None:
    clock = SubElement(root, "clock", offset="utc")
    SubElement(clock, "timer", name="pit", tickpolicy="delay")
    SubElement(clock, "timer", name="rtc", tickpolicy="catchup")
    if domain.arch in {"x86_64", "i686"}:
        SubElement(clock, "timer", name="hpet", present="no")


def _power_management(root: Element) -> None:
    pm = SubElement(root, "pm")
    SubElement(pm, "suspend-to-mem", enabled="no")
    SubElement(pm, "suspend-to-disk", enabled="no")


# --- devices ---------------------------------------------------------------------------------------------------------


def _devices(devices: Element, domain: Domain) -> None:
    for disk in domain.disks:
        _disk(devices, disk)
    if domain.scsi_model is not None:
        SubElement(devices, "controller", type="scsi", index="0", model=domain.scsi_model)
    for nic in domain.nics:
        _nic(devices, nic)
    _serial(devices, domain)
    if domain.agent:
        channel = SubElement(devices, "channel", type="unix")
        SubElement(channel, "target", type="virtio", name="org.qemu.guest_agent.0")
    _screen(devices, domain)
    if domain.watchdog is not None:
        SubElement(devices, "watchdog", model="i6300esb", action=domain.watchdog)
    if domain.rng is not None:
        rng = SubElement(devices, "rng", model="virtio")
        if domain.rng.rate_bytes is not None:
            rate = SubElement(rng, "rate", bytes=str(domain.rng.rate_bytes))
            if domain.rng.rate_period_ms is not None:
                rate.set("period", str(domain.rng.rate_period_ms))
        _text(rng, "backend", "/dev/urandom", model="random")
    SubElement(SubElement(devices, "memballoon", model="virtio"), "stats", period="10")


def _disk(devices: Element, disk: Disk) -> None:
    element = SubElement(devices, "disk", type="file", device=disk.device)
    driver = SubElement(element, "driver", name="qemu", type=disk.format, cache=disk.cache)
    if disk.device == "disk":
        driver.set("discard", "unmap")
    SubElement(element, "source", file=str(disk.path))
    SubElement(element, "target", dev=disk.target, bus=disk.bus)
    if disk.throttle:
        iotune = SubElement(element, "iotune")
        for name, value in disk.throttle:
            _text(iotune, name, value)
    if disk.device == "cdrom":
        SubElement(element, "readonly")
    if disk.serial is not None:
        _text(element, "serial", disk.serial)
    if disk.order is not None:
        SubElement(element, "boot", order=str(disk.order))


def _nic(devices: Element, nic: Nic) -> None:
    element = SubElement(devices, "interface", type="bridge")
    SubElement(element, "mac", address=nic.mac)
    SubElement(element, "source", bridge=nic.bridge)
    SubElement(element, "target", dev=nic.tap)
    SubElement(element, "model", type=nic.model)
    if nic.queues is not None:
        SubElement(element, "driver", queues=str(nic.queues))
    SubElement(element, "mtu", size=str(nic.mtu))
    if nic.inbound is not None or nic.outbound is not None:
        bandwidth = SubElement(element, "bandwidth")
        _bandwidth(bandwidth, "inbound", nic.inbound)
        _bandwidth(bandwidth, "outbound", nic.outbound)
    # No boot ROM: nothing here answers PXE, and waiting for it would cost each boot from disk its time-out.
    SubElement(element, "rom", enabled="no")


def _bandwidth(parent: Element, direction: str, limits: Bandwidth | None) -> None:
    if limits is not None:
        values = {"average": limits.average, "peak": limits.peak, "burst": limits.burst}
        SubElement(parent, direction, {name: str(value) for name, value in values.items() if value is not None})


def _serial(devices: Element, domain: Domain) -> None:
    for port in range(domain.serial_ports):
        serial = SubElement(devices, "serial", type="pty")
        if port == 0:
            SubElement(serial, "log", file=str(domain.console_log), append="on")
        SubElement(serial, "target", port=str(port))


def _screen(devices: Element, domain: Domain) -> None:
    if domain.tablet:
        SubElement(devices, "controller", type="usb", index="0", model="qemu-xhci")
        SubElement(devices, "input", type="tablet", bus="usb")
    else:
        SubElement(devices, "controller", type="usb", index="0", model="none")
    SubElement(SubElement(devices, "graphics", type="vnc"), "listen", type="socket")
    model = SubElement(SubElement(devices, "video"), "model", type=domain.video)
    if domain.video_ram_mib is not None:
        model.set("vram", str(domain.video_ram_mib * 1024))
