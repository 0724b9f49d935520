"""
Tells hosts what their guests may read of themselves, after an edit of a name, metadata or the like.

The host keeps the guest's data beside its disks; a command with a new generation replaces it. What was sent and not confirmed, as
the message was lost or the host was away, is sent again.
"""

from __future__ import annotations

from datetime import timedelta
from functools import partial

from kilonova.conductor.machine import guest_of
from kilonova.conductor.neighbours import Networks
from kilonova.domain.clock import Clock
from kilonova.domain.host import is_alive
from kilonova.domain.server import Server
from kilonova.rpc.bus import Bus
from kilonova.rpc.commands import UpdateGuestData
from kilonova.store.database import Database, Tx
from kilonova.store.queries import guest_data, hosts_view, server_facts

_AGAIN_AFTER = timedelta(seconds=30)
_MOST_AT_ONCE = 200


class GuestDataReconciler:
    """Woken by each change (`GuestDataChanged`)."""

    name = "guest_data"
    period_s = 30.0

    def __init__(self, db: Database, bus: Bus, clock: Clock, networks: Networks) -> None:
        self._db, self._bus, self._clock, self._networks = db, bus, clock, networks

    def activate(self) -> dict[str, int]:
        """Send what is due to hosts that are alive."""
        now = self._clock.now()
        with self._db.write() as tx:
            guest_data.forget_deleted(tx)
            due = guest_data.due(tx, now - _AGAIN_AFTER, _MOST_AT_ONCE)
            found = hosts_view.by_names(tx, {str(server.host) for server in due}) if due else {}
            alive = {host.name for host in found.values() if is_alive(host.seen_at, now, forced_down=host.forced_down)}
            told = [server for server in due if server.host in alive]
            for server in told:
                self._send(tx, server)
        return {"told": len(told)}

    def _send(self, tx: Tx, server: Server) -> None:
        generation = server_facts.next_generation(tx, server, same=False)
        guest_data.sent(tx, server.id, generation, self._clock.now())
        command = UpdateGuestData(
            command_id=f"guest_data/{server.id}/{generation}",
            server_id=server.id,
            generation=generation,
            guest=guest_of(server, self._networks.for_server(tx, server.id)),
        )
        tx.after_commit(partial(self._bus.cast, f"agent.{server.host}", command))
