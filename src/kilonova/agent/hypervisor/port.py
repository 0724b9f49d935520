"""
The port between the agent and what makes machines on its host.

A `Driver` takes commands and calls back when each is carried out: the simulator does that from a timer, and can hold ten
thousand boots without a thread for any. A driver that blocks (libvirt) is written as a `BlockingDriver`, and `Pooled` makes a
`Driver` of it. Drivers are found by entry point (`kilonova.hypervisors`).

Commands converge: carrying out the same one twice leaves the same world and answers the same. A driver never decides that a
command is too old; the agent does (it knows the generations from `generations`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Protocol

import msgspec

from kilonova.domain.clock import Clock
from kilonova.domain.host import HostFacts
from kilonova.domain.hostnet import HeldNetworks, HostNetwork, ShareChange
from kilonova.domain.machine import ImageRef
from kilonova.domain.report import Observed, Outcome
from kilonova.rpc.commands import Command, EnsureServer, RemoveServer, SetPower, UpdateGuestData

Done = Callable[[Outcome], None]
OnStage = Callable[[str, int], None]  # a stage begins: its name (image, disks, network, domain), percent of the whole


class ImageSource(Protocol):
    """Where a host gets an image's bits from."""

    def read(self, image_id: str) -> Iterator[bytes]:
        """The bits, in chunks. Raises Missing when there is no such image or it has no bits."""


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


class Host(Protocol):
    """What every driver can say of its host at any time."""

    name: str

    def facts(self) -> HostFacts:
        """What the host can hold."""

    def observe(self) -> list[Observed]:
        """Every machine of ours that the hypervisor has, with the generation of the command last carried out."""

    def generations(self, epoch: str) -> dict[str, int]:
        """Of this epoch, the newest generation carried out for each server, those removed lately included."""

    def watch(self, changed: Callable[[Observed], None]) -> None:
        """Call `changed` whenever a machine changes its power state by itself."""

    def console_output(self, server_id: str, lines: int | None) -> str:
        """The last `lines` lines of the console log (None: all that is kept). Raises Missing."""

    def inventory(self) -> dict[str, tuple[tuple[str, str], ...]]:
        """
        Everything of ours on the host but the machines, by kind: (thing, the server it is for; "" when nobody owns it).

        Kinds are disks, cache_parts, taps, rules, dhcp_entries, bridges, as far as the driver has such things. What is shared and
        in use (a cached image, a bridge with ports) is not listed.
        """

    def uptime(self) -> str:
        """The host's uptime line."""

    def set_network(self, state: HostNetwork) -> None:
        """Converge the whole of the host's network state; what is not in it goes."""

    def update_network(self, part: HostNetwork) -> None:
        """Bring up to date what the host has of these networks, ports and groups; none comes that was not there."""

    def change_network(self, change: ShareChange) -> bool:
        """Take one step in a network or group that is here. False when it is not the next: the whole must be asked for."""

    def held_networks(self) -> HeldNetworks:
        """The generation of each network and group that this host is to have, and what of it guests may reach."""

    def tend_network(self) -> None:
        """Look again at what of the machine itself its networks' rules depend on."""

    def close(self) -> None:
        """Let go of the hypervisor. Machines go on running."""

    def purge(self) -> None:
        """Leave nothing of ours on the host: no machine, no network, no file, no daemon we started. Closed after it."""


class Driver(Host, Protocol):
    """A host that takes commands and calls back. `workers`: threads for its messages; 0 when nothing it does blocks."""

    workers: int

    def submit(self, command: Command, stage: OnStage, done: Done) -> None:
        """Carry `command` out and call `done` once. Commands about one server are carried out in the order they came."""

    def cache_image(self, image: ImageRef) -> None:
        """Fetch an image ahead of need."""


class BlockingDriver(Host, Protocol):
    """A host that carries a command out in the caller's thread. Faults are raised as `HostFailure`."""

    def ensure(self, command: EnsureServer, stage: OnStage) -> Outcome:
        """Make the machine exist as specified, and run."""

    def remove(self, command: RemoveServer) -> Outcome:
        """Make the machine and all that is its own not exist."""

    def set_power(self, command: SetPower) -> Outcome:
        """Bring the machine to a power state."""

    def update_guest_data(self, command: UpdateGuestData) -> Outcome:
        """Change what the guest may read of itself."""

    def cache_image(self, image: ImageRef) -> None:
        """Fetch an image ahead of need."""
