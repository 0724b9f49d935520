"""What clients send of ports, and what they get."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from msgspec import Meta

from kilonova.api.framework import UNSET, Maybe, Params, View, reads, size, wire
from kilonova.api.framework.types import Flag, IntLike, IPAddress, Mac, Text255, iso_z
from kilonova.api.network.common import COMMON, TAGGED, Attributes, flag, text
from kilonova.domain.addresses import ip_network
from kilonova.domain.network import Port

ATTRIBUTES: Attributes = {
    **COMMON,
    **TAGGED,
    "network_id": ("network_id", text),
    "mac_address": ("mac", text),
    "admin_state_up": flag("admin_up"),
    "status": ("status", text),
    "device_id": ("device_id", text),
    "device_owner": ("device_owner", text),
    "port_security_enabled": flag("port_security"),
    "fixed_ips": ("fixed_ips", text),
    "security_groups": ("security_groups", text),
    "security_group_ids": ("security_groups", text),
    "binding:host_id": ("host", text),
    "binding:vnic_type": ("vnic_type", text),
    "dns_name": ("dns_name", text),
}
Wanted = tuple[tuple[str | None, str | None], ...]
Pairs = tuple[tuple[str, str | None], ...]
_MOST = Meta(max_length=64)  # of what one port has of a kind
Options = tuple[tuple[str, str | None, int], ...]


class FixedIpParams(Params):
    """An address, or any of a subnet."""

    subnet_id: Text255 | None = None
    ip_address: IPAddress | None = None


class PairParams(Params):
    """An address or range that the port may also use."""

    ip_address: str
    mac_address: Mac | None = None


class OptionParams(Params):
    """A DHCP option that the guest is told; null takes it away."""

    opt_name: Annotated[str, Meta(min_length=1, max_length=64, pattern=r"^[a-z0-9][a-z0-9-]*$")]
    opt_value: Annotated[str, Meta(max_length=255, pattern=r"^[^\r\n]*$")] | None = None
    ip_version: IntLike = 4


def read_fixed_ips(value: list[FixedIpParams] | None) -> Wanted:
    """Pairs of a subnet and an address."""
    if any(one.subnet_id is None and one.ip_address is None for one in value or ()):
        raise ValueError("each needs a subnet_id or an ip_address")
    return tuple((one.subnet_id, one.ip_address) for one in value or ())


def read_pairs(value: list[PairParams] | None) -> Pairs:
    """Pairs of an address or range and a MAC."""
    for one in value or ():
        try:
            ip_network(one.ip_address, strict=False)
        except ValueError:
            raise ValueError(f"{one.ip_address[:64]!r} is neither an address nor a range") from None
    return tuple((one.ip_address, one.mac_address) for one in value or ())


def read_options(value: list[OptionParams] | None) -> Options:
    """Options as the record has them."""
    if any(one.ip_version not in (4, 6) for one in value or ()):
        raise ValueError("an ip_version is neither 4 nor 6")
    return tuple((one.opt_name, one.opt_value, one.ip_version) for one in value or ())


class PortChange(Params):
    """What can be changed."""

    name: Maybe[Text255] = UNSET
    description: Maybe[Text255] = UNSET
    admin_up: Annotated[Maybe[Flag], wire("admin_state_up")] = UNSET
    mac: Annotated[Maybe[Mac], wire("mac_address")] = UNSET
    fixed_ips: Annotated[Maybe[Wanted], reads(read_fixed_ips, Annotated[list[FixedIpParams], _MOST] | None)] = UNSET
    device_id: Maybe[Text255] = UNSET
    device_owner: Maybe[Text255] = UNSET
    port_security: Annotated[Maybe[Flag], wire("port_security_enabled")] = UNSET
    security_groups: Maybe[Annotated[list[Text255], _MOST] | None] = UNSET
    allowed_pairs: Annotated[
        Maybe[Pairs], wire("allowed_address_pairs"), reads(read_pairs, list[PairParams] | None)
    ] = UNSET
    extra_dhcp_opts: Annotated[Maybe[Options], reads(read_options, Annotated[list[OptionParams], _MOST] | None)] = UNSET
    vnic_type: Annotated[Maybe[Text255], wire("binding:vnic_type")] = UNSET
    binding_profile: Annotated[Maybe[Annotated[dict[str, Any], size(4096)] | None], wire("binding:profile")] = UNSET
    host: Annotated[Maybe[Text255 | None], wire("binding:host_id")] = UNSET
    dns_name: Maybe[Annotated[str, Meta(max_length=63, pattern=r"^([A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?)?$")]] = UNSET


class PortParams(PortChange):
    """What can be said when it is made."""

    project_id: Maybe[Text255] = UNSET
    tenant_id: Maybe[Text255] = UNSET
    network_id: Text255


class CreatePorts(Params):
    """One port, or several."""

    port: Maybe[PortParams] = UNSET
    ports: Maybe[list[PortParams]] = UNSET


class FixedIpView(View):
    """An address of a port."""

    subnet_id: str
    ip_address: str


class PairView(View):
    """An address or range that the port may also use."""

    ip_address: str
    mac_address: str


class OptionView(View):
    """A DHCP option that the guest is told."""

    opt_name: str
    opt_value: str
    ip_version: int


class DnsView(View):
    """A name of a port."""

    hostname: str
    ip_address: str
    fqdn: str


class PortView(View):
    """A port."""

    id: Maybe[str] = UNSET
    name: Maybe[str] = UNSET
    description: Maybe[str] = UNSET
    project_id: Maybe[str] = UNSET
    tenant_id: Maybe[str] = UNSET
    network_id: Maybe[str] = UNSET
    mac_address: Maybe[str] = UNSET
    admin_state_up: Maybe[bool] = UNSET
    status: Maybe[str] = UNSET
    device_id: Maybe[str] = UNSET
    device_owner: Maybe[str] = UNSET
    fixed_ips: Maybe[list[FixedIpView]] = UNSET
    security_groups: Maybe[list[str]] = UNSET
    port_security_enabled: Maybe[bool] = UNSET
    allowed_address_pairs: Maybe[list[PairView]] = UNSET
    extra_dhcp_opts: Maybe[list[OptionView]] = UNSET
    dns_name: Maybe[str] = UNSET
    dns_domain: Maybe[str] = UNSET
    dns_assignment: Maybe[list[DnsView]] = UNSET
    ip_allocation: Maybe[Literal["immediate", "none"]] = UNSET
    data_plane_status: Maybe[str | None] = UNSET
    propagate_uplink_status: Maybe[bool] = UNSET
    qos_policy_id: Maybe[str | None] = UNSET
    qos_network_policy_id: Maybe[str | None] = UNSET
    vnic_type: Annotated[Maybe[str], wire("binding:vnic_type")] = UNSET
    host_id: Annotated[Maybe[str], wire("binding:host_id")] = UNSET
    profile: Annotated[Maybe[dict[str, Any]], wire("binding:profile")] = UNSET
    vif_type: Annotated[Maybe[str], wire("binding:vif_type")] = UNSET
    vif_details: Annotated[Maybe[dict[str, Any]], wire("binding:vif_details")] = UNSET
    tags: Maybe[list[str]] = UNSET
    revision_number: Maybe[int] = UNSET
    created_at: Maybe[str | None] = UNSET
    updated_at: Maybe[str | None] = UNSET


class PortsView(View):
    """The answer to a creation: in the form of the question."""

    port: Maybe[PortView] = UNSET
    ports: Maybe[list[PortView]] = UNSET


def view_of(one: Port, dns_domain: str, *, shows_binding: bool) -> PortView:
    """A port as callers see it; where it is bound is for administrators."""
    return PortView(
        id=one.id, name=one.name, description=one.description, project_id=one.project_id, tenant_id=one.project_id,
        network_id=one.network_id, mac_address=one.mac, admin_state_up=one.admin_up, status=one.status,
        device_id=one.device_id, device_owner=one.device_owner,
        fixed_ips=[FixedIpView(subnet_id=ip.subnet_id, ip_address=ip.address) for ip in one.fixed_ips],
        security_groups=list(one.security_groups), port_security_enabled=one.port_security,
        allowed_address_pairs=[PairView(ip_address=ip, mac_address=mac) for ip, mac in one.allowed_pairs],
        extra_dhcp_opts=[OptionView(opt_name=name, opt_value=value, ip_version=v) for name, value, v in one.extra_dhcp_opts],
        dns_name=one.dns_name, dns_domain="", dns_assignment=[_dns(one, ip.address, dns_domain) for ip in one.fixed_ips],
        ip_allocation="immediate" if one.fixed_ips else "none", data_plane_status=None, propagate_uplink_status=False,
        qos_policy_id=None, qos_network_policy_id=None, vnic_type=one.vnic_type, **_binding(one, shows_binding),
        tags=list(one.tags), revision_number=one.revision, created_at=iso_z(one.created_at), updated_at=iso_z(one.updated_at),
    )  # fmt: skip


def _binding(one: Port, shows: bool) -> dict[str, Any]:  # noqa: FBT001 - one question, one answer
    if not shows:
        return {}
    bound = {"port_filter": True, "connectivity": "l2"} if one.host else {}
    return {
        "host_id": one.host or "", "profile": one.binding_profile, "vif_type": "bridge" if one.host else "unbound",
        "vif_details": bound,
    }  # fmt: skip


def _dns(one: Port, address: str, domain: str) -> DnsView:
    name = one.dns_name or "host-" + address.replace(".", "-").replace(":", "-")
    return DnsView(hostname=name, ip_address=address, fqdn=f"{name}.{domain}" if domain else f"{name}.")
