"""The embedded network service as the conductor's `Networks`: ports and addresses in the saga's own transaction."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from msgspec.structs import replace

from kilonova.domain.boot import BootParams
from kilonova.domain.clock import Ids
from kilonova.domain.hostnet import HeldNetworks, HostNetwork
from kilonova.domain.network import ServerForNetwork
from kilonova.domain.reach import GuestReach
from kilonova.domain.server import Server
from kilonova.network import allocate, hostview
from kilonova.network.changes import Changes
from kilonova.network.hostview import ServerNetwork
from kilonova.store.database import Tx
from kilonova.store.queries import ports, tunnels


class EmbeddedNetworks:
    """
    Fills `conductor.neighbours.Networks`.

    Servers that come and go change their groups' members, and which hosts share a network: other hosts must hear of both. They
    hear of what is in the records a moment after the commit, so of a server that came on a host while the last one left it, too.
    `reach` gives what guests may reach, when that is known.
    """

    def __init__(self, ids: Ids, changes: Changes, reach: Callable[[], GuestReach | None] = lambda: None) -> None:
        self._ids, self._changes, self._reach = ids, changes, reach

    def allocate(self, tx: Tx, server: Server, params: BootParams, now: datetime) -> tuple[str, ...]:
        """Make or take the server's ports, bound to its host; their ids, in order. Raises as `Allocator.allocate`."""
        allocator = allocate.Allocator(tx, self._ids, now)
        its = ServerForNetwork(
            id=server.id,
            project_id=server.project_id,
            host=server.host,
            zone=server.zone or "nova",
        )
        before = tunnels.touched(tx, server.id)
        made = allocator.allocate(its, params.nics, params.security_groups)
        self._changes.of_hosts(tx, before | tunnels.touched(tx, server.id))
        self._changes.of_members(tx, made)
        return tuple(port.id for port in made)

    def release(self, tx: Tx, server_id: str, now: datetime) -> None:
        """Delete the ports made for the server, unbind the user's own."""
        gone = ports.of_server(tx, server_id)
        self._changes.of_hosts(tx, tunnels.touched(tx, server_id))
        allocate.release(tx, server_id, now)
        self._changes.of_members(tx, gone)

    def activate(self, tx: Tx, server_id: str, now: datetime) -> None:
        """Its ports are ACTIVE."""
        allocate.activate(tx, server_id, now)

    def for_server(self, tx: Tx, server_id: str) -> ServerNetwork:
        """What the server's host must be told."""
        return hostview.for_server(tx, server_id)

    def for_host(self, tx: Tx, host: str) -> HostNetwork:
        """The whole of a host's networks, for one that has started. Where its tunnels end may have changed: others are told."""
        for network_id in sorted(tunnels.on_host(tx, host)):
            self._changes.of_network(tx, network_id)
        return replace(hostview.for_host(tx, host), reach=self._reach())

    def newer(self, tx: Tx, host: str, held: HeldNetworks, now: datetime) -> HostNetwork:
        """What a host that holds this lacks."""
        reach = self._reach()
        is_lacking = reach is not None and reach.digest != held.reach
        return replace(hostview.newer(tx, host, held, now), reach=reach if is_lacking else None)
