"""Wires the hosts of a process: one real one, or any number of simulated ones. No part of an agent reads the database."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from kilonova.agent.driver import HostSetup
from kilonova.agent.images.port import ImageSource
from kilonova.agent.local import KeyOf, LocalHosts
from kilonova.domain.clock import Clock
from kilonova.rpc.bus import Bus

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


@dataclass(frozen=True, kw_only=True)
class HostPlan:
    """The hosts of a process: their driver, their names, where each keeps its own, and the driver's options."""

    hypervisor: str
    names: tuple[str, ...]
    folder: Path
    options: dict[str, str]


def numbered(name: str, count: int) -> tuple[str, ...]:
    """Names of simulated hosts: `name-1` and so on."""
    return tuple(f"{name}-{i}" for i in range(1, count + 1))


def host_setups(plan: HostPlan, images: ImageSource, clock: Clock) -> Iterator[HostSetup]:
    """How each host of a process is made."""
    for name in plan.names:
        folder = plan.folder / name
        yield HostSetup(name=name, data_dir=folder, images=images, clock=clock, options=plan.options)


def make_hosts(plan: HostPlan, images: ImageSource, bus: Bus, clock: Clock, key_of: KeyOf | None = None) -> LocalHosts:
    """The hosts, stopped."""
    boot_id = _BOOT_ID.read_text().strip() if _BOOT_ID.exists() else "unknown"
    return LocalHosts(plan.hypervisor, list(host_setups(plan, images, clock)), boot_id, bus, clock, key_of)
