"""The fleet of a simulation: groups of like hosts, described in TOML or CSV (docs/simulation.md)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import msgspec
from msgspec import Meta

from kilonova.domain.errors import Rejected
from kilonova.domain.host import Host, HostFacts
from kilonova.simulation.sheets import read_csv, read_toml

NOW = datetime(2000, 1, 1, tzinfo=UTC)  # when every simulation begins; hosts never fall silent in it
Ratio = Annotated[float, Meta(gt=0)]
AtLeastOne = Annotated[int, Meta(ge=1)]
NotNegative = Annotated[int, Meta(ge=0)]


class HostGroup(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Hosts that are alike; RAM in MiB, disk in GiB. Ratios and reserves are those of a host that joins a cloud."""

    vcpus: AtLeastOne
    ram_mib: AtLeastOne
    disk_gib: NotNegative
    name: str = "host"  # hosts are called name-1, name-2...
    count: AtLeastOne = 1
    zone: str = "nova"
    traits: tuple[str, ...] = ()
    cpu_ratio: Ratio = 16.0
    ram_ratio: Ratio = 1.5
    disk_ratio: Ratio = 1.0
    ram_mib_reserved: NotNegative = 0
    disk_gib_reserved: NotNegative = 0


class FleetDescription(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A whole fleet, as a TOML document has it."""

    hosts: tuple[HostGroup, ...]


def default_fleet(count: int) -> tuple[HostGroup, ...]:
    """Hosts for who describes none: 32 vCPUs without overcommitment, 128 GiB, 2 TB."""
    alike = HostGroup(count=count, vcpus=32, ram_mib=131072, disk_gib=2000, cpu_ratio=1.0, ram_ratio=1.0)
    return (alike,)


def read_fleet(path: Path) -> tuple[HostGroup, ...]:
    """The groups that a file describes, by its suffix `.toml` or `.csv`. Raises Rejected."""
    groups = tuple(read_csv(path, HostGroup)) if path.suffix == ".csv" else read_toml(path, FleetDescription).hosts
    if not groups:
        raise Rejected(f"{path} describes no hosts.", next_step="See docs/simulation.md for its form.")
    return groups


def hosts_of(groups: Sequence[HostGroup]) -> list[Host]:
    """The hosts, empty and up, in the order of the groups. Raises Rejected when two would have one name."""
    made = [_host(group, within, number) for number, (group, within) in enumerate(_places(groups), start=1)]
    if len({host.name for host in made}) < len(made):
        raise Rejected("Two groups of hosts have the same name.", next_step="Give each group a name of its own.")
    return made


def _places(groups: Sequence[HostGroup]) -> Iterator[tuple[HostGroup, int]]:
    for group in groups:
        for within in range(1, group.count + 1):
            yield group, within


def _host(group: HostGroup, within: int, number: int) -> Host:
    name = f"{group.name}-{within}"
    facts = HostFacts(
        vcpus=group.vcpus, ram_mib=group.ram_mib, disk_gib=group.disk_gib, hypervisor_type="kilonova-sim",
        hypervisor_version=1_000_000, accelerator="sim", arch="x86_64", traits=group.traits,
    )  # fmt: skip
    return Host(
        id=name, service_id=name, number=number, name=name, zone=group.zone, facts=facts, vcpus_used=0, ram_mib_used=0,
        disk_gib_used=0, servers=0, cpu_ratio=group.cpu_ratio, ram_ratio=group.ram_ratio, disk_ratio=group.disk_ratio,
        ram_mib_reserved=group.ram_mib_reserved, disk_gib_reserved=group.disk_gib_reserved, generation=1, disabled=False,
        disabled_reason=None, forced_down=False, boot_id="", started_at=NOW, seen_at=NOW, created_at=NOW, updated_at=None,
    )  # fmt: skip
