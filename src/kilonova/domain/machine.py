"""
What a host is told to make of a server: the machine, its disks, its interfaces and what the guest may read of itself.

A `MachineSpec` is complete: a host converges to it without asking anybody, may be sent it again at any time, and keeps it
beside the disks so that the guest's metadata is served with the control plane dead.
"""

from __future__ import annotations

import msgspec


class ImageRef(msgspec.Struct, frozen=True, kw_only=True):
    """An image as a host needs to know it; size and virtual_size in bytes."""

    id: str
    disk_format: str  # raw, qcow2, iso, ami, aki, ari
    size: int
    sha512: str | None  # of the bits as stored; checked after the fetch
    virtual_size: int | None = None


class DiskSpec(msgspec.Struct, frozen=True, kw_only=True):
    """
    One local disk. `kind`: root, ephemeral, swap or data.

    `size_mib` 0 keeps the image's own size; otherwise the disk is made or grown to it.
    """

    kind: str
    index: int  # among the disks of its kind
    size_mib: int
    image: ImageRef | None = None
    boot_index: int = -1
    bus: str = "virtio"
    device: str | None = None  # vda, vdb... None: the driver names it
    device_type: str = "disk"  # disk or cdrom
    filesystem: str | None = None  # for a blank disk: ext4, swap...
    tag: str | None = None


class NicSpec(msgspec.Struct, frozen=True, kw_only=True):
    """One interface; the port it is the host end of is in the host's network state under `port_id`."""

    port_id: str
    network_id: str
    mac: str
    tap: str
    bridge: str
    mtu: int
    model: str = "virtio"
    tag: str | None = None


class GuestLink(msgspec.Struct, frozen=True, kw_only=True):
    """An interface as the guest is told of it in network_data.json."""

    port_id: str
    network_id: str
    mac: str
    mtu: int
    addresses: tuple[str, ...]  # with prefix length, e.g. 10.0.0.5/24
    gateway: str | None = None
    dns: tuple[str, ...] = ()
    dhcp: bool = True


class GuestDevice(msgspec.Struct, frozen=True, kw_only=True):
    """A tagged device as the guest is told of it; its host fills this in once it has given the device its place."""

    type: str  # nic or disk
    bus: str
    address: str
    tags: tuple[str, ...]
    mac: str | None = None
    serial: str | None = None


class GuestSecrets(msgspec.Struct, frozen=True, kw_only=True):
    """The fields of GuestData that are its owner's and the guest's alone."""

    admin_pass: str | None = None
    user_data: str | None = None
    files: dict[str, str] = {}

    def __repr__(self) -> str:
        """For logs."""
        return "GuestSecrets(…)"


class GuestData(msgspec.Struct, frozen=True, kw_only=True):
    """What the guest may read of itself, by metadata service and by config drive."""

    server_id: str
    instance_name: str  # instance-%08x; the EC2 tree's instance-id is made from its number
    number: int
    name: str
    hostname: str
    project_id: str
    availability_zone: str
    launch_index: int
    reservation_id: str
    instance_type: str
    metadata: dict[str, str] = {}
    keys: dict[str, str] = {}  # key name -> public key
    user_data: str | None = None  # base64
    files: dict[str, str] = {}  # path -> base64 (personality)
    links: tuple[GuestLink, ...] = ()
    security_groups: tuple[str, ...] = ()
    image_id: str | None = None
    admin_pass: str | None = None  # on the config drive alone
    random_seed: str = ""  # base64, the same at each reading; made by the host, once
    block_devices: dict[str, str] = {}  # EC2's names (ami, root, ephemeral0, swap) -> device; filled in by the host
    devices: tuple[GuestDevice, ...] = ()  # the tagged ones; filled in by the host
    sealed: str | None = None  # GuestSecrets on their way to the host, which alone can open them

    def __repr__(self) -> str:
        """For logs: nothing of what is secret in it."""
        return f"GuestData(server_id={self.server_id!r}, name={self.name!r})"

    def secrets(self) -> GuestSecrets:
        """What is in it that is secret."""
        return GuestSecrets(admin_pass=self.admin_pass, user_data=self.user_data, files=self.files)


class MachineSpec(msgspec.Struct, frozen=True, kw_only=True):
    """A whole machine. `generation` orders commands about one server: a host refuses one older than it has seen."""

    server_id: str
    generation: int
    instance_name: str
    project_id: str
    vcpus: int
    ram_mib: int
    disks: tuple[DiskSpec, ...]
    nics: tuple[NicSpec, ...]
    guest: GuestData
    kernel: ImageRef | None = None
    ramdisk: ImageRef | None = None
    kernel_args: str | None = None
    config_drive: bool = False
    image_properties: dict[str, str] = {}  # hw_* and os_* hints to the driver
    extra_specs: dict[str, str] = {}
    flavor_name: str = ""
