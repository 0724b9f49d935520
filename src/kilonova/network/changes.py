"""
Writing down what hosts must be told: along with each change, in its own transaction, so that no change is ever without its entry.

Who tells them is the conductor (`network_sync.py`). It is woken a little after a commit, by one message for all that was
committed meanwhile; when that is lost, it looks by itself now and then.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable

from kilonova.domain.clock import Clock
from kilonova.domain.network import Port
from kilonova.rpc.bus import Bus
from kilonova.rpc.messages import NetworksChanged
from kilonova.store.database import Tx
from kilonova.store.queries import network_changes
from kilonova.store.queries.network_changes import GROUP, NETWORK, PORT, Entry

GATHER_S = 1.0  # before the conductor is woken: a burst of boots is told in one go


class Changes:
    """The log's pen. Thread-safe."""

    def __init__(self, bus: Bus, clock: Clock) -> None:
        self._bus, self._clock = bus, clock
        self._lock = threading.Lock()
        self._is_armed = False

    def of_network(self, tx: Tx, network_id: str) -> None:
        """A network or its subnets change."""
        self._note(tx, [Entry(NETWORK, network_id)])

    def of_hosts(self, tx: Tx, pairs: Iterable[tuple[str, str]]) -> None:
        """Of these pairs of a network and a host, the host may share the network now, or no longer."""
        self._note(tx, [Entry(NETWORK, network_id, about=host) for network_id, host in pairs])

    def of_rules(self, tx: Tx, group_ids: Iterable[str]) -> None:
        """The rules of these groups change."""
        self._note(tx, [Entry(GROUP, group_id) for group_id in group_ids])

    def of_members(self, tx: Tx, ports: Iterable[Port]) -> None:
        """These ports, as they are or were, join or leave their groups or change their addresses."""
        self._note(
            tx,
            [
                Entry(GROUP, group_id, port.network_id, ip.address)
                for port in ports
                for group_id in port.security_groups
                for ip in port.fixed_ips
            ],
        )

    def of_port(self, tx: Tx, port_id: str) -> None:
        """A port changes: its own host must know."""
        self._note(tx, [Entry(PORT, port_id)])

    def _note(self, tx: Tx, entries: list[Entry]) -> None:
        if entries:
            network_changes.note(tx, entries, self._clock.now())
            tx.after_commit(self._wake_soon)

    def _wake_soon(self) -> None:
        with self._lock:
            is_first, self._is_armed = not self._is_armed, True
        if is_first:
            self._clock.call_later(GATHER_S, self._wake)

    def _wake(self) -> None:
        with self._lock:
            self._is_armed = False
        self._bus.cast("conductor", NetworksChanged())
