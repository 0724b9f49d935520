"""Resources as Placement counts them: what a host has of each class, and what of it is claimed; in vCPUs, MiB and GiB."""

from __future__ import annotations

import math

import msgspec

from kilonova.domain.host import Host

VCPU, MEMORY_MB, DISK_GB = "VCPU", "MEMORY_MB", "DISK_GB"
CLAIMED = (VCPU, MEMORY_MB, DISK_GB)
"""What claims are made of; no host has an inventory of anything else."""
DISABLED_TRAIT = "COMPUTE_STATUS_DISABLED"


class Inventory(msgspec.Struct, frozen=True, kw_only=True):
    """What a host has of one class, and how much of it may be claimed."""

    total: int
    reserved: int
    allocation_ratio: float
    max_unit: int  # what one server can have of it
    used: int

    @property
    def capacity(self) -> int:
        """What can be claimed in all: the same floor as a scheduler's `room`."""
        return max(0, math.floor((self.total - self.reserved) * self.allocation_ratio))


def inventories_of(host: Host) -> dict[str, Inventory]:
    """A host's inventories by class; what it has nothing of is left out."""
    facts = host.facts
    found = {
        VCPU: Inventory(
            total=facts.vcpus, reserved=0, allocation_ratio=host.cpu_ratio, max_unit=facts.vcpus, used=host.vcpus_used
        ),
        MEMORY_MB: Inventory(
            total=facts.ram_mib, reserved=host.ram_mib_reserved, allocation_ratio=host.ram_ratio, max_unit=facts.ram_mib,
            used=host.ram_mib_used,
        ),
        DISK_GB: Inventory(
            total=facts.disk_gib, reserved=host.disk_gib_reserved, allocation_ratio=host.disk_ratio,
            max_unit=max(facts.disk_gib, math.floor(facts.disk_gib * host.disk_ratio)), used=host.disk_gib_used,
        ),
    }  # fmt: skip
    return {name: one for name, one in found.items() if one.total > 0}


class Provider(msgspec.Struct, frozen=True, kw_only=True):
    """A host as Placement sees it: its record, its traits from whatever source, and the ids of its aggregates."""

    host: Host
    traits: frozenset[str]
    aggregates: frozenset[str]


class Allocation(msgspec.Struct, frozen=True, kw_only=True):
    """A server's claim on a host."""

    server_id: str
    project_id: str
    user_id: str
    host_id: str
    generation: int  # the host's
    resources: dict[str, int]
