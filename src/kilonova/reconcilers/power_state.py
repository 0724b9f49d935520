"""Starts what should run and does not: servers meant to be ACTIVE that their host, alive, reports as down."""

from __future__ import annotations

from functools import partial

from kilonova.domain.clock import Clock
from kilonova.domain.host import is_alive
from kilonova.domain.server import PowerState
from kilonova.rpc.bus import Bus
from kilonova.rpc.commands import SetPower
from kilonova.store.database import Database
from kilonova.store.queries import hosts, server_facts


class PowerStateReconciler:
    """After a host was restarted, its guests are; nobody has to ask."""

    name = "power_state"
    period_s = 60.0

    def __init__(self, db: Database, bus: Bus, clock: Clock) -> None:
        self._db, self._bus, self._clock = db, bus, clock

    def activate(self) -> dict[str, int]:
        """Tell the hosts to start them."""
        now = self._clock.now()
        with self._db.write() as tx:
            alive = {host.name for host in hosts.every(tx) if is_alive(host.seen_at, now, forced_down=host.forced_down)}
            down = [server for server in server_facts.wanted_but_down(tx) if server.host in alive]
            for server in down:
                generation = server_facts.next_generation(tx, server, same=False)
                command = SetPower(
                    command_id=f"power_state/{server.id}/{generation}",
                    server_id=server.id,
                    generation=generation,
                    target=PowerState.RUNNING,
                )
                tx.after_commit(partial(self._bus.cast, f"agent.{server.host}", command))
        return {"started": len(down)}
