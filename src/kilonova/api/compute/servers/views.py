"""What clients see of a server, in every microversion."""

from __future__ import annotations

from typing import Annotated

from kilonova.api.compute.common import Link, Named
from kilonova.api.framework import UNSET, Maybe, View, between, since, until, wire


class Address(View):
    """An address, as the `ips` views and old updates show it."""

    version: int
    addr: str


class FullAddress(Address):
    """An address with its interface."""

    mac: Annotated[str, wire("OS-EXT-IPS-MAC:mac_addr")]
    kind: Annotated[str, wire("OS-EXT-IPS:type")]


class FlavorView(View):
    """A reference up to 2.46, the flavor itself from then on."""

    id: Annotated[str, until("2.46")]
    links: Annotated[list[Link], until("2.46")]
    vcpus: Annotated[int, since("2.47")]
    ram: Annotated[int, since("2.47")]
    disk: Annotated[int, since("2.47")]
    ephemeral: Annotated[int, since("2.47")]
    swap: Annotated[int, since("2.47")]
    original_name: Annotated[str, since("2.47")]
    extra_specs: Annotated[Maybe[dict[str, str]], since("2.47")] = UNSET


class ImageView(View):
    """A reference, from 2.98 with the properties the server was booted with."""

    id: str
    links: list[Link]
    properties: Annotated[Maybe[dict[str, str]], since("2.98")] = UNSET


class VolumeAttached(View):
    """A volume of the server."""

    id: str
    delete_on_termination: Annotated[Maybe[bool], since("2.3")] = UNSET


class FaultView(View):
    """Why it is in ERROR."""

    code: int
    created: str
    message: str
    details: Maybe[str] = UNSET


class BriefView(View):
    """A line of the short list."""

    id: str
    name: str
    links: list[Link]


class CoreView(View):
    """What a server's view always had; PUT answered with no more than this until 2.74."""

    id: str
    name: str
    status: str
    tenant_id: str
    user_id: str
    metadata: dict[str, str]
    host_id: Annotated[str, wire("hostId")]
    image: str | ImageView
    flavor: FlavorView
    created: str
    updated: str
    access_ip_v4: Annotated[str, wire("accessIPv4")]
    access_ip_v6: Annotated[str, wire("accessIPv6")]
    links: list[Link]
    disk_config: Annotated[str, wire("OS-DCF:diskConfig")]
    progress: Maybe[int] = UNSET
    fault: Maybe[FaultView] = UNSET
    locked: Annotated[bool, since("2.9")]
    description: Annotated[str | None, since("2.19")]
    tags: Annotated[list[str], since("2.26")]
    trusted_image_certificates: Annotated[list[str] | None, since("2.63")]
    server_groups: Annotated[Maybe[list[str]], since("2.71")] = UNSET
    locked_reason: Annotated[str | None, since("2.73")]
    pinned_availability_zone: Annotated[str | None, since("2.96")]
    scheduler_hints: Annotated[dict[str, str | list[str]], since("2.100")]


class UpdatedView(CoreView):
    """What PUT answers until 2.74."""

    addresses: dict[str, list[Address]]


class ServerView(CoreView):
    """A server in detail. The attributes called OS-EXT-SRV-ATTR are an administrator's, but for the host name from 2.90 on."""

    addresses: dict[str, list[FullAddress]]
    key_name: str | None
    config_drive: str
    security_groups: Maybe[list[Named]] = UNSET
    volumes: Annotated[list[VolumeAttached], wire("os-extended-volumes:volumes_attached")]
    zone: Annotated[str, wire("OS-EXT-AZ:availability_zone")]
    power_state: Annotated[int, wire("OS-EXT-STS:power_state")]
    task_state: Annotated[str | None, wire("OS-EXT-STS:task_state")]
    vm_state: Annotated[str, wire("OS-EXT-STS:vm_state")]
    launched_at: Annotated[str | None, wire("OS-SRV-USG:launched_at")]
    terminated_at: Annotated[str | None, wire("OS-SRV-USG:terminated_at")]
    host: Annotated[Maybe[str | None], wire("OS-EXT-SRV-ATTR:host")] = UNSET
    node: Annotated[Maybe[str | None], wire("OS-EXT-SRV-ATTR:hypervisor_hostname")] = UNSET
    instance_name: Annotated[Maybe[str], wire("OS-EXT-SRV-ATTR:instance_name")] = UNSET
    reservation_id: Annotated[Maybe[str], wire("OS-EXT-SRV-ATTR:reservation_id"), since("2.3")] = UNSET
    launch_index: Annotated[Maybe[int], wire("OS-EXT-SRV-ATTR:launch_index"), since("2.3")] = UNSET
    kernel_id: Annotated[Maybe[str], wire("OS-EXT-SRV-ATTR:kernel_id"), since("2.3")] = UNSET
    ramdisk_id: Annotated[Maybe[str], wire("OS-EXT-SRV-ATTR:ramdisk_id"), since("2.3")] = UNSET
    root_device_name: Annotated[Maybe[str], wire("OS-EXT-SRV-ATTR:root_device_name"), since("2.3")] = UNSET
    user_data: Annotated[Maybe[str | None], wire("OS-EXT-SRV-ATTR:user_data"), since("2.3")] = UNSET
    hostname_for_admin: Annotated[Maybe[str], wire("OS-EXT-SRV-ATTR:hostname"), between("2.3", "2.89")] = UNSET
    hostname: Annotated[str, wire("OS-EXT-SRV-ATTR:hostname"), since("2.90")]
    host_status: Annotated[Maybe[str], since("2.16")] = UNSET


class CreatedView(View):
    """What the answer to a create says of the first server."""

    id: str
    links: list[Link]
    disk_config: Annotated[str, wire("OS-DCF:diskConfig")]
    security_groups: list[Named]
    admin_pass: Annotated[Maybe[str], wire("adminPass")] = UNSET


class CreatedBody(View):
    """The answer to a create: the first server, or only the reservation where that was asked for."""

    server: Maybe[CreatedView] = UNSET
    reservation_id: Maybe[str] = UNSET
