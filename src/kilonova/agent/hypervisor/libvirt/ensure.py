"""
Making a server exist and run, from wherever the last attempt got to.

The order is what makes any crash harmless: the record first (whose is this folder?), then files that appear whole under their
names, then the network, then the domain, and the record's `done` last. Each stage looks at what is there and makes only
what is missing, so that carrying the command out again goes the rest of the way, and on a machine that runs does nothing.
"""

from __future__ import annotations

import base64
import secrets
from xml.etree import ElementTree as ET

import libvirt
import msgspec
import structlog

from kilonova.agent.commands import OnStage
from kilonova.agent.failure import HostFailure
from kilonova.agent.hypervisor.libvirt.disks import images_of, make_config_drive, make_disks
from kilonova.agent.hypervisor.libvirt.domains import power_state
from kilonova.agent.hypervisor.libvirt.parts import Parts, hypervisor_failure
from kilonova.agent.hypervisor.libvirt.plan import plan_domain
from kilonova.agent.hypervisor.libvirt.records import ServerRecord
from kilonova.agent.hypervisor.libvirt.xml import domain_xml
from kilonova.domain.machine import GuestData, GuestDevice, MachineSpec
from kilonova.domain.report import MachineFacts, Outcome
from kilonova.domain.server import PowerState
from kilonova.rpc.commands import EnsureServer

_SEED_BYTES = 512
_log = structlog.get_logger(__name__)


def ensure(parts: Parts, command: EnsureServer, stage: OnStage) -> Outcome:
    """Carry the command out. Raises HostFailure."""
    kept = parts.records.read(command.server_id)
    spec = seeded(command.spec, kept)
    domain = parts.domains.find(spec.server_id)
    if (
        domain is not None
        and kept is not None
        and kept.after(command) is kept
        and power_state(domain) is PowerState.RUNNING
    ):
        return _outcome(domain)
    before = ServerRecord(spec=spec, done=parts.records.done(spec.server_id, command.epoch), epoch=command.epoch)
    parts.records.write(before)
    stage("image", 0)
    for image in images_of(spec):
        parts.cache.fetch(image)
    stage("disks", 40)
    make_disks(parts, spec)
    make_config_drive(parts.layout.instance(spec.server_id), spec)
    stage("network", 70)
    parts.network.merge(command.network)
    stage("domain", 80)
    try:
        domain = _define(parts, spec)
        guest = _with_devices(spec, domain)
        parts.records.write(msgspec.structs.replace(before, spec=msgspec.structs.replace(spec, guest=guest)))
        _run(domain)
    except libvirt.libvirtError as error:
        raise hypervisor_failure("start the machine", error) from error
    guest = msgspec.structs.replace(guest, admin_pass=None)
    spec = msgspec.structs.replace(spec, guest=guest)
    parts.records.write(ServerRecord(spec=spec, done=command.generation, epoch=command.epoch))
    return _outcome(domain)


def seeded(spec: MachineSpec, kept: ServerRecord | None) -> MachineSpec:
    """The specification with what the guest stirs into its entropy pool: from this machine's, once, and told to nobody else."""
    seed = kept.spec.guest.random_seed if kept is not None else ""
    seed = seed or base64.b64encode(secrets.token_bytes(_SEED_BYTES)).decode()
    return msgspec.structs.replace(spec, guest=msgspec.structs.replace(spec.guest, random_seed=seed))


def close_screens(parts: Parts) -> None:
    """
    A machine that an earlier release defined has its screen on a port of loopback, open to every local user: define it anew.

    One that runs keeps the port until it is stopped and started: QEMU cannot let go of it.
    """
    for server_id, domain in parts.domains.all().items():
        kept = parts.records.read(server_id)
        if kept is None or "<listen type='address'" not in domain.XMLDesc(libvirt.VIR_DOMAIN_XML_INACTIVE):
            continue
        try:
            _define(parts, kept.spec)
        except (HostFailure, libvirt.libvirtError) as refused:
            _log.warning("a machine's screen is still on a port of loopback", server_id=server_id, why=str(refused))
        else:
            if domain.isActive():
                _log.warning(
                    "a machine's screen is on a port of loopback until it is started anew", server_id=server_id
                )


def _define(parts: Parts, spec: MachineSpec) -> libvirt.virDomain:
    """Define the domain as specified; one that runs keeps its present form until it is next started."""
    plan = plan_domain(spec, parts.layout.instance(spec.server_id), parts.shape)
    return parts.domains.connection().defineXML(domain_xml(plan))


def _run(domain: libvirt.virDomain) -> None:
    state = power_state(domain)
    if state is PowerState.PAUSED:
        domain.resume()
    elif not domain.isActive():
        domain.create()


def _outcome(domain: libvirt.virDomain) -> Outcome:
    devices = ET.fromstring(domain.XMLDesc())  # noqa: S314 - libvirt wrote it
    root = devices.find("devices/disk/target")
    screen = devices.find("devices/graphics[@type='vnc']/listen[@type='socket']")
    serial = devices.find("devices/serial/source")
    machine = MachineFacts(
        root_device=None if root is None else f"/dev/{root.get('dev')}",
        vnc_socket=None if screen is None else screen.get("socket"),
        serial_path=None if serial is None else serial.get("path"),
    )
    return Outcome(power_state=power_state(domain), machine=machine)


def _with_devices(spec: MachineSpec, domain: libvirt.virDomain) -> GuestData:
    """The guest data with what only the host knows: the disks' names, and where tagged devices sit."""
    devices = ET.fromstring(domain.XMLDesc())  # noqa: S314 - libvirt wrote it
    disks = devices.findall("devices/disk")
    names: dict[str, str] = {}
    tagged = []
    for disk, element in zip(spec.disks, disks, strict=False):
        target = element.find("target")
        name = target.get("dev", "") if target is not None else ""
        names |= {"ami": name, "root": f"/dev/{name}"} if disk.kind == "root" else {f"{disk.kind}{disk.index}": name}
        if disk.tag:
            tagged.append(_device("disk", element, disk.tag, mac=None))
    for nic in spec.nics:
        found = devices.find(f"devices/interface/mac[@address='{nic.mac.lower()}']/..")
        if nic.tag and found is not None:
            tagged.append(_device("nic", found, nic.tag, mac=nic.mac))
    return msgspec.structs.replace(spec.guest, block_devices=names, devices=tuple(tagged))


def _device(kind: str, element: ET.Element, tag: str, *, mac: str | None) -> GuestDevice:
    address = element.find("address")
    place = {} if address is None else dict(address.items())
    if place.get("type") == "pci":
        numbers = [place[part].removeprefix("0x") for part in ("domain", "bus", "slot", "function")]
        return GuestDevice(type=kind, bus="pci", address="{}:{}:{}.{}".format(*numbers), tags=(tag,), mac=mac)
    target = element.find("target")
    bus = target.get("bus", "none") if target is not None else "none"
    where = ":".join(place[part] for part in ("controller", "bus", "target", "unit") if part in place)
    return GuestDevice(type=kind, bus=bus, address=where or "none", tags=(tag,), mac=mac)
