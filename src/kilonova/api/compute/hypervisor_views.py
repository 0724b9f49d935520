"""What operators see of a hypervisor."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any

import msgspec
from msgspec import UNSET

from kilonova.api.framework import Maybe, View, between, since, until, wire
from kilonova.domain.host import Host, is_alive
from kilonova.store.queries.servers import Brief


class Sizes(msgspec.Struct, frozen=True, kw_only=True):
    """Capacity and use: RAM in MiB, disk in GiB."""

    vcpus: int
    vcpus_used: int
    memory_mb: int
    memory_mb_used: int
    local_gb: int
    local_gb_used: int
    free_ram_mb: int
    free_disk_gb: int
    running_vms: int
    current_workload: int
    disk_available_least: int


class ServerOn(View):
    """A server on it."""

    name: str
    uuid: str


class ServiceOf(View):
    """Its compute service."""

    id: Annotated[str, since("2.53")]
    number: Annotated[int, wire("id"), until("2.52")]
    host: str
    disabled_reason: str | None


class HypervisorBrief(View):
    """A line of the short list. An empty list of servers is only shown from 2.75 on."""

    id: Annotated[str, since("2.53")]
    number: Annotated[int, wire("id"), until("2.52")]
    hypervisor_hostname: str
    state: str
    status: str
    some_servers: Annotated[Maybe[list[ServerOn]], wire("servers"), until("2.74")] = UNSET
    servers: Annotated[Maybe[list[ServerOn]], since("2.75")] = UNSET


class UptimeView(HypervisorBrief):
    """With the host's own uptime line."""

    uptime: str


class HypervisorView(HypervisorBrief):
    """In detail; capacity and use until 2.87."""

    hypervisor_type: str
    hypervisor_version: int
    host_ip: str | None
    service: ServiceOf
    vcpus: Annotated[int, until("2.87")]
    vcpus_used: Annotated[int, until("2.87")]
    memory_mb: Annotated[int, until("2.87")]
    memory_mb_used: Annotated[int, until("2.87")]
    local_gb: Annotated[int, until("2.87")]
    local_gb_used: Annotated[int, until("2.87")]
    free_ram_mb: Annotated[int, until("2.87")]
    free_disk_gb: Annotated[int, until("2.87")]
    running_vms: Annotated[int, until("2.87")]
    current_workload: Annotated[int, until("2.87")]
    disk_available_least: Annotated[int, until("2.87")]
    cpu_text: Annotated[str, wire("cpu_info"), until("2.27")]
    cpu_info: Annotated[dict[str, Any], between("2.28", "2.87")]
    uptime: Annotated[str | None, since("2.88")]


class StatisticsView(View):
    """The sums of all hypervisors."""

    count: int
    vcpus: int
    vcpus_used: int
    memory_mb: int
    memory_mb_used: int
    local_gb: int
    local_gb_used: int
    free_ram_mb: int
    free_disk_gb: int
    running_vms: int
    current_workload: int
    disk_available_least: int


def sizes_of(host: Host) -> Sizes:
    """A host's capacity and use; what is reserved counts as used, as Nova has it."""
    facts = host.facts
    ram_used = host.ram_mib_used + host.ram_mib_reserved
    disk_used = host.disk_gib_used + host.disk_gib_reserved
    return Sizes(
        vcpus=facts.vcpus, vcpus_used=host.vcpus_used, memory_mb=facts.ram_mib, memory_mb_used=ram_used,
        local_gb=facts.disk_gib, local_gb_used=disk_used, free_ram_mb=facts.ram_mib - ram_used,
        free_disk_gb=facts.disk_gib - disk_used, running_vms=host.servers, current_workload=0,
        disk_available_least=facts.disk_gib - disk_used,
    )  # fmt: skip


def brief_of(host: Host, now: datetime, held: Sequence[Brief] | None = None) -> HypervisorBrief:
    """A host in short; `held` are its servers, None where they are not asked for."""
    return HypervisorBrief(**_common(host, now, held))


def view_of(host: Host, now: datetime, held: Sequence[Brief] | None, uptime: str | None) -> HypervisorView:
    """A host in detail; `uptime` is its own uptime line, where it could be asked."""
    facts = host.facts
    cpu = {
        "arch": facts.arch,
        "model": facts.cpu_model,
        "features": list(facts.cpu_features),
        "topology": facts.cpu_topology,
    }
    return HypervisorView(
        **_common(host, now, held), **msgspec.structs.asdict(sizes_of(host)), hypervisor_type=facts.hypervisor_type,
        hypervisor_version=facts.hypervisor_version, host_ip=facts.address or None,
        service=ServiceOf(id=host.service_id, number=host.number, host=host.name, disabled_reason=host.disabled_reason),
        cpu_text=msgspec.json.encode(cpu).decode(), cpu_info=cpu, uptime=uptime,
    )  # fmt: skip


def _common(host: Host, now: datetime, held: Sequence[Brief] | None) -> dict[str, Any]:
    shown = [ServerOn(name=one.name, uuid=one.id) for one in held or ()]
    alive = is_alive(host.seen_at, now, forced_down=host.forced_down)
    return {
        "id": host.id, "number": host.number, "hypervisor_hostname": host.name, "state": "up" if alive else "down",
        "status": "disabled" if host.disabled else "enabled", "servers": UNSET if held is None else shown,
        "some_servers": shown or UNSET,
    }  # fmt: skip
