"""What an agent works with: the ports of one host, made by the entry point of its hypervisor."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import msgspec

from kilonova.agent.commands import Commands
from kilonova.agent.consoles import Consoles
from kilonova.agent.hypervisor.port import Hypervisor
from kilonova.agent.images.port import Images, ImageSource
from kilonova.agent.network.port import NetworkState
from kilonova.domain.clock import Clock


class HostSetup(msgspec.Struct, frozen=True, kw_only=True):
    """
    What a driver is made from: the entry point of `kilonova.hypervisors` is a function from this to a `Driver`.

    `data_dir` is the host's own; `options` are the driver's own words (`accelerator`, `image_backend`, `pace`...).
    """

    name: str
    data_dir: Path
    images: ImageSource
    clock: Clock
    options: dict[str, str] = {}


@dataclass(frozen=True, kw_only=True)
class Driver:
    """The parts of one host. `workers`: threads for its messages; 0 when nothing that it is asked or told blocks."""

    hypervisor: Hypervisor
    commands: Commands
    network: NetworkState
    images: Images
    consoles: Consoles
    workers: int = 0

    def close(self) -> None:
        """Finish what is under way and let go. Machines go on running."""
        self.commands.close()
        self.hypervisor.close()

    def purge(self) -> None:
        """Finish what is under way and leave nothing of ours on the host."""
        self.commands.close()
        self.hypervisor.purge()
