"""What clients send to create and to update servers, in every microversion."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from kilonova.api.framework import (
    UNSET,
    Maybe,
    Meta,
    Params,
    becomes,
    between,
    reads,
    required,
    rest,
    since,
    size,
    until,
    wire,
)
from kilonova.api.framework.types import (
    Base64Text,
    Flag,
    HostName,
    IntLike,
    IPAddress,
    Metadata,
    Name,
    Text255,
    Uuid,
    check_ipv4,
    check_ipv6,
    check_uuid,
)  # fmt: skip

_LABEL = re.compile(r"\A[a-zA-Z0-9-]{1,63}\Z")
_DOTTED = re.compile(r"\A[a-zA-Z0-9-._]{1,255}\Z")
_TAG = re.compile(r"\A[^,/]{1,60}\Z")
_MOST_HINTS = Meta(max_length=64)
_MAX_SIZE = Meta(ge=1, le=2**31 - 1)


def check_label(value: str) -> str:
    """One label of a host name."""
    if not _LABEL.match(value):
        raise ValueError("a host name is 1 to 63 letters, digits and hyphens")
    return value


def check_dotted(value: str) -> str:
    """A host name that may be fully qualified."""
    if not _DOTTED.match(value):
        raise ValueError("a host name is 1 to 255 letters, digits, hyphens, underscores and dots")
    return value


def check_tag(value: str) -> str:
    """A tag: 1 to 60 characters without commas and slashes."""
    if not _TAG.match(value):
        raise ValueError("a tag is 1 to 60 characters, none of them ',' or '/'")
    return value


def _empty_or(check: Any) -> Any:
    return lambda value: value if value == "" else check(value)


def _at_least_one(value: int) -> int:
    if value < 1:
        raise ValueError("must be 1 or more")
    return value


def _no_repeats(values: list[str] | None) -> list[str] | None:
    if values is not None and len(set(values)) != len(values):
        raise ValueError("has non-unique elements")
    return values


AccessIPv4 = Annotated[str, reads(_empty_or(check_ipv4))]
AccessIPv6 = Annotated[str, reads(_empty_or(check_ipv6))]
Label = Annotated[str, Meta(min_length=1, max_length=255), reads(check_label)]
Dotted = Annotated[str, Meta(min_length=1, max_length=255), reads(check_dotted)]
Tag = Annotated[str, reads(check_tag)]
Count = Annotated[IntLike, reads(_at_least_one)]
DeviceTag = Annotated[str, Meta(min_length=1, max_length=60), reads(check_tag)]
DiskConfig = Literal["AUTO", "MANUAL"]
HostHint = str | Annotated[list[str], _MOST_HINTS]
Short = Annotated[str, Meta(max_length=255)]
Certificates = Annotated[
    list[Annotated[str, Meta(min_length=1, max_length=255)]], Meta(min_length=1, max_length=50), reads(_no_repeats)
]


class NetworkParam(Params):
    """One wanted interface."""

    uuid: Annotated[Maybe[str], becomes("2.37", Uuid)] = UNSET
    port: Maybe[Uuid | None] = UNSET
    fixed_ip: Maybe[IPAddress] = UNSET
    early_tag: Annotated[Maybe[DeviceTag], wire("tag"), between("2.32", "2.36")] = UNSET
    tag: Annotated[Maybe[DeviceTag], since("2.42")] = UNSET


class DeviceParam(Params):
    """One entry of block_device_mapping_v2."""

    source_type: Maybe[Literal["volume", "image", "snapshot", "blank"]] = UNSET
    destination_type: Maybe[Literal["local", "volume"]] = UNSET
    uuid: Maybe[Annotated[str, Meta(min_length=1, max_length=255)]] = UNSET
    image_id: Maybe[Uuid] = UNSET
    volume_id: Maybe[Uuid] = UNSET
    snapshot_id: Maybe[Uuid] = UNSET
    volume_size: Maybe[Annotated[IntLike, _MAX_SIZE]] = UNSET
    boot_index: Maybe[IntLike | None] = UNSET
    device_name: Maybe[Short | None] = UNSET
    virtual_name: Maybe[Short] = UNSET
    guest_format: Maybe[Short] = UNSET
    device_type: Maybe[Short] = UNSET
    disk_bus: Maybe[Short] = UNSET
    delete_on_termination: Maybe[Flag] = UNSET
    no_device: Maybe[Any] = UNSET
    connection_info: Maybe[Annotated[str, Meta(max_length=65535)]] = UNSET
    early_tag: Annotated[Maybe[DeviceTag], wire("tag"), between("2.32", "2.32")] = UNSET
    tag: Annotated[Maybe[DeviceTag], since("2.42")] = UNSET
    volume_type: Annotated[Maybe[Short | None], since("2.67")] = UNSET


class LegacyDeviceParam(Params):
    """One entry of the old block_device_mapping: always a volume or a snapshot."""

    volume_id: Maybe[Uuid] = UNSET
    snapshot_id: Maybe[Uuid] = UNSET
    volume_size: Maybe[Annotated[IntLike, _MAX_SIZE]] = UNSET
    device_name: Maybe[Annotated[str, Meta(min_length=1, max_length=255)]] = UNSET
    virtual_name: Maybe[Short] = UNSET
    delete_on_termination: Maybe[Flag] = UNSET
    no_device: Maybe[Any] = UNSET
    connection_info: Maybe[Annotated[str, Meta(max_length=65535)]] = UNSET


class FileParam(Params):
    """One file to put into the guest."""

    path: Annotated[str, Meta(max_length=1024)]  # the quota is what bounds it
    contents: Annotated[Base64Text, Meta(max_length=90_000)]


class GroupParam(Params, strict=False):
    """A security group, by name or id."""

    name: Maybe[Name] = UNSET


class CreateServer(Params):
    """The `server` of a create."""

    name: Name
    flavor_ref: Annotated[Annotated[str, Meta(min_length=1)] | int, wire("flavorRef")]
    image_ref: Annotated[Maybe[Annotated[str, reads(_empty_or(check_uuid))]], wire("imageRef")] = UNSET
    admin_pass: Annotated[Maybe[str], wire("adminPass")] = UNSET
    metadata: Maybe[Metadata] = UNSET
    networks: Annotated[
        Maybe[list[NetworkParam]],
        becomes("2.37", list[NetworkParam] | Literal["auto", "none"]),
        required(since("2.37")),
    ] = UNSET
    disk_config: Annotated[Maybe[DiskConfig], wire("OS-DCF:diskConfig")] = UNSET
    access_ip_v4: Annotated[Maybe[AccessIPv4], wire("accessIPv4")] = UNSET
    access_ip_v6: Annotated[Maybe[AccessIPv6], wire("accessIPv6")] = UNSET
    personality: Annotated[Maybe[list[FileParam]], until("2.56")] = UNSET
    availability_zone: Maybe[Name] = UNSET
    block_device_mapping: Maybe[list[LegacyDeviceParam]] = UNSET
    block_device_mapping_v2: Maybe[list[DeviceParam]] = UNSET
    config_drive: Maybe[Flag] = UNSET
    key_name: Maybe[Name] = UNSET
    min_count: Maybe[Count] = UNSET
    max_count: Maybe[Count] = UNSET
    return_reservation_id: Maybe[Flag] = UNSET
    security_groups: Maybe[list[GroupParam]] = UNSET
    user_data: Maybe[Annotated[Base64Text, Meta(max_length=65535)]] = UNSET
    description: Annotated[Maybe[Text255 | None], since("2.19")] = UNSET
    tags: Annotated[Maybe[Annotated[list[Tag], Meta(max_length=50)]], since("2.52")] = UNSET
    trusted_image_certificates: Annotated[Maybe[Certificates | None], since("2.63")] = UNSET
    host: Annotated[Maybe[HostName], since("2.74")] = UNSET
    hypervisor_hostname: Annotated[Maybe[HostName], since("2.74")] = UNSET
    hostname: Annotated[Maybe[Label], since("2.90"), becomes("2.94", Dotted)] = UNSET


class Hints(Params, strict=False):
    """Scheduler hints: the documented ones are checked, others are kept for an operator's own filters."""

    group: Maybe[Uuid] = UNSET
    different_host: Maybe[HostHint] = UNSET
    same_host: Maybe[HostHint] = UNSET
    query: Maybe[Annotated[str, Meta(max_length=4096)] | Annotated[dict[str, Any], size(4096)]] = UNSET
    target_cell: Maybe[Name] = UNSET
    different_cell: Maybe[HostHint] = UNSET
    build_near_host_ip: Maybe[IPAddress] = UNSET
    cidr: Maybe[Annotated[str, Meta(max_length=4)]] = UNSET
    others: Annotated[Maybe[Annotated[dict[str, Any], size(4096), _MOST_HINTS]], rest()] = UNSET


class CreateBody(Params):
    """A create: the server, and hints under either of their names."""

    server: CreateServer
    hints: Annotated[Maybe[Hints], wire("os:scheduler_hints")] = UNSET
    old_hints: Annotated[Maybe[Hints], wire("OS-SCH-HNT:scheduler_hints")] = UNSET


class UpdateServer(Params):
    """The `server` of an update: what is to change."""

    name: Maybe[Name] = UNSET
    disk_config: Annotated[Maybe[DiskConfig], wire("OS-DCF:diskConfig")] = UNSET
    access_ip_v4: Annotated[Maybe[AccessIPv4], wire("accessIPv4")] = UNSET
    access_ip_v6: Annotated[Maybe[AccessIPv6], wire("accessIPv6")] = UNSET
    description: Annotated[Maybe[Text255 | None], since("2.19")] = UNSET
    hostname: Annotated[Maybe[Label], since("2.90"), becomes("2.94", Dotted)] = UNSET
    pinned_availability_zone: Annotated[Maybe[Name | None], since("2.104")] = UNSET
