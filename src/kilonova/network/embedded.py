"""The embedded network service as the conductor's `Networks`: ports and addresses in the saga's own transaction."""

from __future__ import annotations

from datetime import datetime

from kilonova.domain.boot import BootParams
from kilonova.domain.clock import Ids
from kilonova.domain.hostnet import HostNetwork
from kilonova.domain.network import ServerForNetwork
from kilonova.domain.server import Server
from kilonova.network import allocate, hostview
from kilonova.network.hostview import ServerNetwork
from kilonova.store.database import Tx


class EmbeddedNetworks:
    """Fills `conductor.ports.Networks`."""

    def __init__(self, ids: Ids) -> None:
        self._ids = ids

    def allocate(self, tx: Tx, server: Server, params: BootParams, now: datetime) -> tuple[str, ...]:
        """Make or take the server's ports, bound to its host."""
        allocator = allocate.Allocator(tx, self._ids, now)
        its = ServerForNetwork(
            id=server.id,
            project_id=server.project_id,
            host=server.host,
            zone=server.zone or "nova",
        )
        return tuple(port.id for port in allocator.allocate(its, params.nics, params.security_groups))

    def release(self, tx: Tx, server_id: str, now: datetime) -> None:
        """Delete the ports made for the server, unbind the user's own."""
        allocate.release(tx, server_id, now)

    def activate(self, tx: Tx, server_id: str, now: datetime) -> None:
        """Its ports are ACTIVE."""
        allocate.activate(tx, server_id, now)

    def for_server(self, tx: Tx, server_id: str) -> ServerNetwork:
        """What the server's host must be told."""
        return hostview.for_server(tx, server_id)

    def for_host(self, tx: Tx, host: str) -> HostNetwork:
        """The whole of a host's networks."""
        return hostview.for_host(tx, host)
