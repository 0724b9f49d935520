"""From the body of a create, in whichever microversion it came, to the request the use case takes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

import msgspec
from msgspec import UNSET

from kilonova.api.compute.common import ELSEWHERE, or_none
from kilonova.api.compute.servers.params import CreateBody, CreateServer, DeviceParam, Hints, NetworkParam
from kilonova.api.framework import Maybe, Query, Request
from kilonova.compute.neighbours import WantedNics
from kilonova.compute.request import BootRequest, WantedDevice
from kilonova.compute.zones import ZoneChoice, parse_zone
from kilonova.domain.boot import NicRequest
from kilonova.domain.errors import Rejected

_CREATE = "os_compute_api:servers:create"
_LISTS = ("same_host", "different_host", "different_cell")


def boot_request(req: Request[CreateBody, Query], *, describes: bool) -> BootRequest:
    """
    The request, with the policy questions that hang on what is asked for already answered.

    `describes`: the client may send a description; else it is the name. Raises Rejected or Denied.
    """
    sent = req.params.server
    if sent.block_device_mapping is not UNSET and sent.block_device_mapping_v2 is not UNSET:
        raise Rejected("Using different block_device_mapping syntaxes is not allowed in the same request.")
    place = place_of(req, sent)
    nics = _nics(sent)
    if isinstance(nics, tuple):
        req.authorize(f"{_CREATE}:attach_network")
    if or_none(sent.trusted_image_certificates):
        req.authorize(f"{_CREATE}:trusted_certs")
    least, most = _counts(sent)
    return BootRequest(
        name=sent.name, flavor_ref=flavor_of(sent.flavor_ref), image_ref=or_none(sent.image_ref) or None,
        min_count=least, max_count=most, description=or_none(sent.description) if describes else sent.name,
        hostname=or_none(sent.hostname), key_name=or_none(sent.key_name), user_data=or_none(sent.user_data),
        metadata=or_none(sent.metadata) or {}, personality={f.path: f.contents for f in or_none(sent.personality) or ()},
        config_drive=sent.config_drive is True, place=place, nics=nics,
        security_groups=tuple(group.name for group in or_none(sent.security_groups) or () if group.name is not UNSET),
        devices=_devices(sent), tags=tuple(dict.fromkeys(or_none(sent.tags) or ())),
        trusted_certs=tuple(or_none(sent.trusted_image_certificates) or ()),
        hints=hints_of(req.params.old_hints, req.params.hints), disk_config=or_none(sent.disk_config),
        access_ip_v4=or_none(sent.access_ip_v4) or None, access_ip_v6=or_none(sent.access_ip_v6) or None,
        admin_pass=or_none(sent.admin_pass) or None,
        allow_zero_disk=req.can(f"{_CREATE}:zero_disk_flavor"),
    )  # fmt: skip


class PlaceParams(Protocol):
    """What says where a server is to go, in a create and wherever else that is asked."""

    availability_zone: Any
    host: Any
    hypervisor_hostname: Any


def flavor_of(ref: object) -> str:
    """A flavor's id from a reference, which may be a URL."""
    return str(ref).rstrip("/").rpartition("/")[2]


def place_of(req: Request[Any, Any], sent: PlaceParams) -> ZoneChoice:
    """Zone, host and node: `zone:host:node` skips the zone's own choice, `host` and `hypervisor_hostname` ask for one."""
    place = parse_zone(or_none(sent.availability_zone))
    if place.is_forced:
        req.authorize(f"{_CREATE}:forced_host", ELSEWHERE if not req.ctx.project_id else None)
    host, node = or_none(sent.host), or_none(sent.hypervisor_hostname)
    if host is None and node is None:
        return place
    req.authorize("compute:servers:create:requested_destination")
    if place.is_forced:
        raise Rejected("A host or hypervisor_hostname cannot be named together with availability_zone ZONE:HOST:NODE.")
    return ZoneChoice(zone=place.zone, host=host, node=node)


def _counts(sent: CreateServer) -> tuple[int, int]:
    least = 1 if sent.min_count is UNSET else sent.min_count
    most = least if sent.max_count is UNSET else sent.max_count
    if least > most:
        raise Rejected("min_count must be <= max_count")
    return least, most


def _nics(sent: CreateServer) -> WantedNics:
    networks: Any = sent.networks  # from 2.37 on also one of two words
    if networks is UNSET or networks == []:
        return None
    if isinstance(networks, str):
        return "auto" if networks == "auto" else "none"
    return tuple(_nic(i, network) for i, network in enumerate(networks))


def _nic(index: int, sent: NetworkParam) -> NicRequest:
    network_id, port_id = or_none(sent.uuid), or_none(sent.port)
    if network_id is None and port_id is None:
        raise Rejected(f"Invalid input for server.networks[{index}]: name a network by 'uuid' or a port by 'port'.")
    if port_id is not None and sent.fixed_ip is not UNSET:
        raise Rejected(
            f"Specified Fixed IP '{sent.fixed_ip}' cannot be used with port '{port_id}': the two cannot be specified together."
        )
    return NicRequest(
        network_id=None if port_id else network_id, port_id=port_id, fixed_ip=or_none(sent.fixed_ip),
        tag=or_none(sent.tag) or or_none(sent.early_tag),
    )  # fmt: skip


def _devices(sent: CreateServer) -> tuple[WantedDevice, ...]:
    old = [
        WantedDevice(
            source_type="snapshot" if device.snapshot_id is not UNSET else "volume", no_device=_is_set(device.no_device)
        )
        for device in or_none(sent.block_device_mapping) or ()
    ]
    return (*old, *(_device(device) for device in or_none(sent.block_device_mapping_v2) or ()))


def _device(sent: DeviceParam) -> WantedDevice:
    return WantedDevice(
        source_type=or_none(sent.source_type), destination_type=or_none(sent.destination_type),
        uuid=or_none(sent.uuid) or or_none(sent.image_id), size=or_none(sent.volume_size),
        boot_index=or_none(sent.boot_index), guest_format=or_none(sent.guest_format),
        device_name=or_none(sent.device_name) or None, disk_bus=or_none(sent.disk_bus),
        device_type=or_none(sent.device_type), delete_on_termination=or_none(sent.delete_on_termination),
        volume_type=or_none(sent.volume_type), tag=or_none(sent.tag) or or_none(sent.early_tag),
        no_device=_is_set(sent.no_device),
    )  # fmt: skip


def _is_set(no_device: Any) -> bool:
    return no_device is not UNSET and no_device not in (None, False, "", "false", "False")


def hints_of(*sent: Maybe[Hints]) -> dict[str, str | list[str]]:
    """Hints as they are kept: lists where several make sense, text otherwise. Of those sent twice the later count."""
    found: dict[str, str | list[str]] = {}
    for hints in sent:
        for name, value in _sent_hints(or_none(hints)).items():
            if name in _LISTS:
                found[name] = value if isinstance(value, list) else [value]
            elif isinstance(value, list):
                found[name] = [_text(one) for one in value]
            else:
                found[name] = _text(value)
    return found


def _sent_hints(sent: Hints | None) -> Mapping[str, Any]:
    if sent is None:
        return {}
    named = {name: getattr(sent, name) for name in sent.__struct_fields__ if name != "others"}
    return {**(or_none(sent.others) or {}), **{name: value for name, value in named.items() if value is not UNSET}}


def _text(value: Any) -> str:
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()
