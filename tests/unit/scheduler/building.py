"""Hosts, fleets and requests for scheduler tests, with what a test does not say filled in."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from kilonova.domain.boot import SchedulingRequest
from kilonova.domain.host import Host, HostFacts
from kilonova.scheduler.fleet import Fleet, fleet_of

NOW = datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)


def facts(**given: Any) -> HostFacts:
    defaults = {
        "vcpus": 8, "ram_mib": 16384, "disk_gib": 200, "hypervisor_type": "KVM", "hypervisor_version": 8_002_001,
        "accelerator": "kvm", "arch": "x86_64",
    }  # fmt: skip
    return HostFacts(**(defaults | given))


def host(number: int = 1, **given: Any) -> Host:
    """A host that is up; what HostFacts knows may be given as well."""
    about = {name: given.pop(name) for name in list(given) if name in HostFacts.__struct_fields__}
    defaults = {
        "id": f"id-{number}", "service_id": f"service-{number}", "number": number, "name": f"host-{number}",
        "zone": "nova", "vcpus_used": 0, "ram_mib_used": 0, "disk_gib_used": 0, "servers": 0, "cpu_ratio": 16.0,
        "ram_ratio": 1.5, "disk_ratio": 1.0, "ram_mib_reserved": 0, "disk_gib_reserved": 0, "generation": 1,
        "disabled": False, "disabled_reason": None, "forced_down": False, "boot_id": "", "started_at": NOW,
        "seen_at": NOW, "created_at": NOW, "updated_at": None,
    }  # fmt: skip
    return Host(facts=facts(**about), **(defaults | given))


def fleet(*hosts: Host, **given: Any) -> Fleet:
    return fleet_of(hosts, NOW, **given)


def request(**given: Any) -> SchedulingRequest:
    defaults = {"server_id": "server", "project_id": "project", "vcpus": 1, "ram_mib": 512, "disk_gib": 1}
    return SchedulingRequest(**(defaults | given))


def names(of: Fleet, mask: Sequence[bool]) -> list[str]:
    return [name for name, passes in zip(of.roster.names, mask, strict=True) if passes]
