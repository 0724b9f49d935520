"""A simulated host from its setup: the entry point `sim`."""

from __future__ import annotations

import zlib

from kilonova.agent.driver import Driver, HostSetup
from kilonova.agent.hypervisor.sim.driver import Pace, SimDriver, SimSettings
from kilonova.domain.host import HostFacts

_FACTS = HostFacts(
    vcpus=64,
    ram_mib=256 * 1024,
    disk_gib=4000,
    hypervisor_type="kilonova-sim",
    hypervisor_version=1000000,
    accelerator="sim",
    arch="x86_64",
    cpu_model="Simulated",
    cpu_topology={"cells": 1, "sockets": 2, "cores": 16, "threads": 2},
)


def make_driver(setup: HostSetup) -> Driver:
    """Options: `pace` (times life-like; 0 is at once). The seed of its chances is its name's."""
    pace = Pace(factor=float(setup.options.get("pace", "1")))
    settings = SimSettings(facts=_FACTS, pace=pace, state_dir=setup.data_dir, seed=zlib.crc32(setup.name.encode()))
    return SimDriver(settings, setup.clock).driver()
