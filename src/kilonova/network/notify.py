"""
Telling hosts that their share of the networks changed.

A change names the groups, networks or hosts it touches. After its commit they are gathered, and once in a while (`delay_s`) one
pass finds the hosts concerned and casts `NetworkChanged` to each, which then asks for its whole state. Gathering is what
makes this cheap: a burst of boots in one big group costs one message a host and pass, not one a host and boot. What is
gathered dies with the process; a host asks by itself when it starts, and the next change of the same things repeats the call.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable

import structlog

from kilonova.domain.clock import Clock
from kilonova.rpc.bus import Bus
from kilonova.rpc.messages import NetworkChanged
from kilonova.store.database import Database, Tx
from kilonova.store.queries import security_groups

_log = structlog.get_logger(__name__)


def hosts_of_groups(tx: Tx, group_ids: Iterable[str]) -> set[str]:
    """Hosts with ports in these groups, or in groups whose rules name them."""
    return security_groups.hosts(tx, group_ids)


def hosts_of_network(tx: Tx, network_id: str) -> set[str]:
    """Hosts with ports on a network."""
    return security_groups.hosts_of_network(tx, network_id)


class HostNotifier:
    """Gathers what changed, and tells the hosts. Thread-safe."""

    def __init__(self, database: Database, bus: Bus, clock: Clock, *, delay_s: float = 1.0) -> None:
        self._database, self._bus, self._clock, self._delay_s = database, bus, clock, delay_s
        self._lock = threading.Lock()
        self._groups: set[str] = set()
        self._hosts: set[str] = set()
        self._is_armed = False

    def groups_changed(self, tx: Tx, group_ids: Iterable[str]) -> None:
        """The rules or the members of these groups change with this transaction."""
        changed = set(group_ids)
        if changed:
            tx.after_commit(lambda: self._gather(changed, set()))

    def network_changed(self, tx: Tx, network_id: str) -> None:
        """A network or its subnets change with this transaction."""
        self.hosts_changed(tx, hosts_of_network(tx, network_id))

    def hosts_changed(self, tx: Tx, hosts: Iterable[str | None]) -> None:
        """Ports on these hosts change with this transaction."""
        changed = {host for host in hosts if host is not None}
        if changed:
            tx.after_commit(lambda: self._gather(set(), changed))

    def _gather(self, groups: set[str], hosts: set[str]) -> None:
        with self._lock:
            self._groups |= groups
            self._hosts |= hosts
            is_first, self._is_armed = not self._is_armed, True
        if is_first:
            self._clock.call_later(self._delay_s, self._begin)

    def _begin(self) -> None:
        """Timers must be quick: the pass, which reads the database, gets a thread."""
        _in_thread(self.tell)

    def tell(self) -> None:
        """One pass: tell every host concerned by what was gathered."""
        with self._lock:
            groups, hosts = self._groups, self._hosts
            self._groups, self._hosts, self._is_armed = set(), set(), False
        if groups:
            with self._database.read() as tx:
                hosts = hosts | hosts_of_groups(tx, groups)
        for host in sorted(hosts):
            self._bus.cast(f"agent.{host}", NetworkChanged())


def _in_thread(pass_: Callable[[], None]) -> None:
    def run() -> None:
        try:
            pass_()
        except Exception:  # noqa: BLE001 - the edge of a thread: nobody else would hear of it
            _log.exception("hosts were not told of a network change; they learn it at the next one")

    threading.Thread(target=run, name="network-changed", daemon=True).start()
