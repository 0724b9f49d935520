"""What hosts are to make true of servers' machines: the commands to their agents (topic `agent.<host>`)."""

from __future__ import annotations

from kilonova.domain.hostnet import HostNetwork
from kilonova.domain.machine import GuestData, MachineSpec
from kilonova.domain.saga import Subject, about_server
from kilonova.domain.server import PowerState
from kilonova.rpc.messages import OfEpoch


class Command(OfEpoch, frozen=True, kw_only=True):
    """
    Something a host is to make true. Idempotent; refused when `generation` is older than the host has seen of its subject.

    `subject` says what it is about, in a struct of the command's own kind or of a base like `ServerCommand`.
    """

    command_id: str
    generation: int

    @property
    def subject(self) -> Subject:
        """What the command is about."""
        raise NotImplementedError


class ServerCommand(Command, frozen=True, kw_only=True):
    """A command about a server's machine."""

    server_id: str

    @property
    def subject(self) -> Subject:
        return about_server(self.server_id)


class EnsureServer(ServerCommand, frozen=True, kw_only=True):
    """Make the machine exist as specified and run. `network` is the part of the host's network state it needs."""

    spec: MachineSpec
    network: HostNetwork


class RemoveServer(ServerCommand, frozen=True, kw_only=True):
    """Make the machine, its disks, taps and rules not exist."""


class SetPower(ServerCommand, frozen=True, kw_only=True):
    """Bring a machine to a power state: RUNNING, SHUTDOWN, PAUSED, SUSPENDED. `hard` skips asking the guest."""

    target: PowerState
    hard: bool = False
    timeout_s: float = 60.0


class UpdateGuestData(ServerCommand, frozen=True, kw_only=True):
    """Change what the guest may read of itself (its metadata was edited)."""

    guest: GuestData
