"""Hosts: what one can hold, what is claimed on it, and whether it is alive."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

import msgspec


class HostFacts(msgspec.Struct, frozen=True, kw_only=True):
    """What an agent finds on its host when it starts; RAM in MiB, disk in GiB."""

    vcpus: int
    ram_mib: int
    disk_gib: int
    hypervisor_type: str  # QEMU, KVM, kilonova-sim
    hypervisor_version: int  # Nova's form: 1000000*major + 1000*minor + micro
    accelerator: str  # kvm, tcg, sim
    arch: str
    cpu_model: str = ""
    cpu_topology: dict[str, int] = {}  # cells, sockets, cores, threads
    cpu_features: tuple[str, ...] = ()
    address: str = ""
    tunnel_ip: str = ""  # the address that other hosts' tunnels reach it at
    addresses: tuple[str, ...] = ()  # all that it has, but for those of its networks' devices: no guest's to reach
    traits: tuple[str, ...] = ()
    stats: dict[str, str] = {}  # free facts that ComputeCapabilitiesFilter may match


class Host(msgspec.Struct, frozen=True, kw_only=True):
    """
    One host's record: its facts, its claims and its service state.

    `generation` is raised by every claim and release; a claim is committed by compare-and-swap on it.
    """

    id: str  # UUID: also the hypervisor's and the resource provider's
    service_id: str  # UUID of its compute service
    number: int  # small and unique, for the API's old integer ids
    name: str
    zone: str
    facts: HostFacts
    vcpus_used: int
    ram_mib_used: int
    disk_gib_used: int
    servers: int
    cpu_ratio: float
    ram_ratio: float
    disk_ratio: float
    ram_mib_reserved: int
    disk_gib_reserved: int
    generation: int
    disabled: bool
    disabled_reason: str | None
    forced_down: bool
    boot_id: str  # of the host itself, as its agent last said
    started_at: datetime | None
    seen_at: datetime | None  # last heartbeat
    created_at: datetime
    updated_at: datetime | None


class HostDefaults(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How a host that joins for the first time is set up; ratios are of claimable to physical."""

    zone: Annotated[str, msgspec.Meta(description="Its availability zone.")] = "nova"
    cpu_ratio: Annotated[float, msgspec.Meta(gt=0, description="How many vCPUs are claimed for each of its CPUs.")] = (
        16.0
    )
    ram_ratio: Annotated[float, msgspec.Meta(gt=0, description="The same for its memory.")] = 1.5
    disk_ratio: Annotated[float, msgspec.Meta(gt=0, description="The same for its disk.")] = 1.0
    ram_mib_reserved: Annotated[int, msgspec.Meta(ge=0, description="Memory that no server gets, in MiB.")] = 0
    disk_gib_reserved: Annotated[int, msgspec.Meta(ge=0, description="Disk that no server gets, in GiB.")] = 0


class HostUse(msgspec.Struct, frozen=True, kw_only=True):
    """What is claimed on a host after a change; of two, the one with the higher generation is newer."""

    host_id: str
    generation: int
    vcpus_used: int
    ram_mib_used: int
    disk_gib_used: int
    servers: int


class ServiceRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A control-plane service (conductor, scheduler) as os-services lists it; hosts' own are read from `Host`."""

    id: str
    number: int
    binary: str
    host: str
    zone: str
    disabled: bool
    disabled_reason: str | None
    forced_down: bool
    seen_at: datetime
    created_at: datetime
    updated_at: datetime | None


ALIVE_WITHIN_S = 60  # a service not heard of for longer is down


def is_alive(seen_at: datetime | None, now: datetime, *, forced_down: bool) -> bool:
    """Whether a service counts as up: heard of within ALIVE_WITHIN_S seconds and not forced down."""
    return not forced_down and seen_at is not None and (now - seen_at).total_seconds() <= ALIVE_WITHIN_S
