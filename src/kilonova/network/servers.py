"""The networks as the conductor needs them: the ports of servers through their lives. Fills `conductor.ports.Networks`."""

from __future__ import annotations

from datetime import datetime

from kilonova.domain.boot import BootParams
from kilonova.domain.clock import Ids
from kilonova.domain.hostnet import HostNetwork
from kilonova.domain.network import ServerForNetwork
from kilonova.domain.server import Server
from kilonova.network import allocate, hostview
from kilonova.network.hostview import ServerNetwork
from kilonova.network.notify import HostNotifier
from kilonova.store.database import Tx
from kilonova.store.queries import ports


class ServerNetworks:
    """Ports and addresses of servers. Every call is idempotent and runs in the caller's transaction."""

    def __init__(self, ids: Ids, notifier: HostNotifier) -> None:
        self._ids, self._notifier = ids, notifier

    def allocate(self, tx: Tx, server: Server, params: BootParams, now: datetime) -> tuple[str, ...]:
        """Make or take the server's ports, bound to its host; their ids, in order. Raises as `Allocator.allocate`."""
        owner = ServerForNetwork(
            id=server.id, project_id=server.project_id, zone=server.zone or "nova", host=server.host
        )
        made = allocate.Allocator(tx, self._ids, now).allocate(owner, params.nics, params.security_groups)
        self._notifier.groups_changed(tx, {group_id for port in made for group_id in port.security_groups})
        return tuple(port.id for port in made)

    def bind(self, tx: Tx, server_id: str, host: str | None, now: datetime) -> None:
        """The server's ports are on this host now."""
        allocate.bind(tx, server_id, host, now)

    def activate(self, tx: Tx, server_id: str, now: datetime) -> None:
        """The server runs: its ports are ACTIVE."""
        allocate.activate(tx, server_id, now)

    def release(self, tx: Tx, server_id: str, now: datetime) -> None:
        """Delete the ports made for the server, unbind the user's own; what other hosts know of them is brought up to date."""
        gone = ports.of_server(tx, server_id)
        allocate.release(tx, server_id, now)
        self._notifier.groups_changed(tx, {group_id for port in gone for group_id in port.security_groups})

    def for_server(self, tx: Tx, server_id: str) -> ServerNetwork:
        """What the server's host must be told."""
        return hostview.for_server(tx, server_id)

    def for_host(self, tx: Tx, host: str) -> HostNetwork:
        """The whole of a host's networks."""
        return hostview.for_host(tx, host)
