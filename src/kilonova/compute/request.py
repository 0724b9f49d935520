"""A request to boot servers, as the rim hands it over: decoded and free of versions, nothing looked up yet."""

from __future__ import annotations

import msgspec

from kilonova.compute.neighbours import WantedNics
from kilonova.compute.zones import ZoneChoice


class WantedDevice(msgspec.Struct, frozen=True, kw_only=True):
    """One entry of block_device_mapping_v2. `size` is in GiB, for a swap disk in MiB; `uuid` names what the source is."""

    source_type: str | None = None
    destination_type: str | None = None
    uuid: str | None = None
    size: int | None = None
    boot_index: int | None = None
    guest_format: str | None = None
    device_name: str | None = None
    disk_bus: str | None = None
    device_type: str | None = None
    delete_on_termination: bool | None = None
    volume_type: str | None = None
    tag: str | None = None
    no_device: bool = False


class BootRequest(msgspec.Struct, frozen=True, kw_only=True):
    """
    What to boot. `hostname` None derives it from the name; `allow_zero_disk` says that policy lets the caller use flavors
    without a root disk of their own; `personality` maps paths to base64 content.
    """

    name: str
    flavor_ref: str
    image_ref: str | None = None
    min_count: int = 1
    max_count: int = 1
    description: str | None = None
    hostname: str | None = None
    key_name: str | None = None
    user_data: str | None = None
    metadata: dict[str, str] = {}
    personality: dict[str, str] = {}
    config_drive: bool = False
    place: ZoneChoice = ZoneChoice()
    nics: WantedNics = None
    security_groups: tuple[str, ...] = ()
    devices: tuple[WantedDevice, ...] = ()
    tags: tuple[str, ...] = ()
    trusted_certs: tuple[str, ...] = ()
    hints: dict[str, str | list[str]] = {}
    disk_config: str | None = None
    access_ip_v4: str | None = None
    access_ip_v6: str | None = None
    admin_pass: str | None = None
    allow_zero_disk: bool = True


class Booted(msgspec.Struct, frozen=True, kw_only=True):
    """What became of it: the ids of the new servers, in order, and what they share."""

    reservation_id: str
    server_ids: tuple[str, ...]
    admin_pass: str
    disk_config: str
