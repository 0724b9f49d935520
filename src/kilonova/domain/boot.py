"""The resolved request to boot servers: what the rim and the compute API agreed on, and the boot saga's parameters."""

from __future__ import annotations

import msgspec

from kilonova.domain.machine import ImageRef


class NicRequest(msgspec.Struct, frozen=True, kw_only=True):
    """One wanted interface: on a network (with a fixed address, or any), or an existing port."""

    network_id: str | None = None
    port_id: str | None = None
    fixed_ip: str | None = None
    tag: str | None = None


class BlockDevice(msgspec.Struct, frozen=True, kw_only=True):
    """One disk of a server, in block_device_mapping_v2's words; sizes in GiB. `boot_index` 0 is the root disk, -1 none."""

    source_type: str  # image, blank (volume and snapshot come with the volume service)
    destination_type: str  # local
    image: ImageRef | None = None
    size_gib: int | None = None
    boot_index: int = -1
    guest_format: str | None = None  # swap, ext4...
    device_name: str | None = None
    disk_bus: str | None = None
    device_type: str | None = None
    delete_on_termination: bool = True
    tag: str | None = None


class SchedulingRequest(msgspec.Struct, frozen=True, kw_only=True):
    """What the scheduler must know to place one server. Also what `explain` and what-if placement are asked with."""

    server_id: str
    project_id: str
    vcpus: int
    ram_mib: int
    disk_gib: int  # root + ephemeral + swap, rounded up
    flavor_id: str = ""
    flavor_name: str = ""
    extra_specs: dict[str, str] = {}
    image_id: str | None = None
    image_properties: dict[str, str] = {}
    availability_zone: str | None = None
    forced_host: str | None = None
    hints: dict[str, str | list[str]] = {}
    excluded_hosts: tuple[str, ...] = ()
    hosts_of_hints: dict[str, tuple[str, ...]] = {}  # where the servers are that same_host and different_host name


class BootParams(msgspec.Struct, frozen=True, kw_only=True):
    """
    Parameters of one server's boot saga, frozen when the request was accepted: every thing that it names was found then, with
    its caller's eyes, and nothing is looked up again by a name that a client gave.
    """

    scheduling: SchedulingRequest
    nics: tuple[NicRequest, ...]
    block_devices: tuple[BlockDevice, ...]
    security_groups: tuple[str, ...] = ()  # ids, for ports made by us
    kernel: ImageRef | None = None
    ramdisk: ImageRef | None = None
    kernel_args: str | None = None


class DeleteParams(msgspec.Struct, frozen=True, kw_only=True):
    """Parameters of a delete saga; the server's own record says the rest."""

    force: bool = False
