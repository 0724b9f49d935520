"""
Tell a server's host that what its guest may read of itself has changed.

The host keeps the guest's data beside its disks; a command with a new generation replaces it. A lost one is made good by the next
command about the server, which carries the data anew.
"""

from __future__ import annotations

from kilonova.conductor.machine import guest_of
from kilonova.conductor.neighbours import Networks
from kilonova.domain.clock import Ids
from kilonova.domain.server import Lifecycle
from kilonova.rpc.bus import Bus
from kilonova.rpc.messages import UpdateGuestData
from kilonova.store.database import Tx
from kilonova.store.queries import server_facts


class TellGuest:
    """The use case, wired."""

    def __init__(self, *, bus: Bus, ids: Ids, networks: Networks) -> None:
        self._bus, self._ids, self._networks = bus, ids, networks

    def __call__(self, tx: Tx, server_id: str, request_id: str) -> None:
        """Send the new data after the commit. A server that was never launched has nobody to tell: its boot will."""
        server = server_facts.get(tx, server_id)
        if server.host is None or server.lifecycle is not Lifecycle.BUILT or server.saga is not None:
            return
        generation = server_facts.next_generation(tx, server, same=False)
        command = UpdateGuestData(
            request_id=request_id, command_id=self._ids.uuid(), server_id=server.id, generation=generation,
            guest=guest_of(server, self._networks.for_server(tx, server.id)),
        )  # fmt: skip
        topic = f"agent.{server.host}"
        tx.after_commit(lambda: self._bus.cast(topic, command))
