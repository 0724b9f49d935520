"""What the conductor needs of the neighbours: embedded ones are wired by bootstrap, real ones may stand in their place."""

from __future__ import annotations

from datetime import datetime
from typing import Protocol

from kilonova.domain.boot import BootParams
from kilonova.domain.hostnet import HeldNetworks, HostNetwork
from kilonova.domain.machine import GuestLink, NicSpec
from kilonova.domain.server import Server
from kilonova.store.database import Tx


class ServerNetwork(Protocol):
    """A server's share of the networks, as a host must be told of it."""

    @property
    def part(self) -> HostNetwork:
        """The part of its host's networks that it needs."""

    @property
    def nics(self) -> tuple[NicSpec, ...]:
        """Its interfaces, in order."""

    @property
    def links(self) -> tuple[GuestLink, ...]:
        """The same, as its guest is told."""


class Networks(Protocol):
    """Ports and addresses of servers. Every call is idempotent and runs in the caller's transaction."""

    def allocate(self, tx: Tx, server: Server, params: BootParams, now: datetime) -> tuple[str, ...]:
        """Make or take the server's ports, bind them to its host; their ids, in order. Raises Conflict when a pool is used up."""

    def release(self, tx: Tx, server_id: str, now: datetime) -> None:
        """Delete the ports made for the server, unbind the user's own."""

    def activate(self, tx: Tx, server_id: str, now: datetime) -> None:
        """The server runs: its ports are ACTIVE."""

    def for_server(self, tx: Tx, server_id: str) -> ServerNetwork:
        """What the server's host must be told."""

    def for_host(self, tx: Tx, host: str) -> HostNetwork:
        """The whole of a host's networks."""

    def newer(self, tx: Tx, host: str, held: HeldNetworks, now: datetime) -> HostNetwork:
        """What a host that holds this of its networks and groups lacks."""
