"""
Telling hosts what changed in their share of the networks.

A change names the groups, networks or ports it touches. After its commit they are gathered, and once in a while (`delay_s`) one
pass reads what they are now and casts to each host concerned the part it needs. Gathering is what makes this cheap: a burst of
boots in one big group costs one message a host and pass, not one a host and boot.

Parts and not whole states are sent, and a host takes of them only what it has already: a whole state that was read before a boot
and arrives after it would take the new server's port away, and a part that arrives after a delete would bring the old one's back.
A pass that fails, as the database or the bus is away, is made again, for a while. What is gathered dies with the process; a host
asks for its whole state when it joins, and the next change of the same things repeats the call.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable

import structlog

from kilonova.domain.clock import Clock
from kilonova.domain.hostnet import HostNetwork
from kilonova.network import hostview
from kilonova.rpc.bus import Bus
from kilonova.rpc.messages import NetworkChanged
from kilonova.store.database import Database, Tx
from kilonova.store.queries import networks, security_groups, subnets, tunnels

_ATTEMPTS = 9  # of a pass that fails, some 17 minutes in all; what is left is told with the next change
_log = structlog.get_logger(__name__)


def hosts_of_groups(tx: Tx, group_ids: Iterable[str]) -> set[str]:
    """Hosts with ports in these groups, or in groups whose rules name them."""
    return security_groups.hosts(tx, group_ids)


def hosts_of_network(tx: Tx, network_id: str) -> set[str]:
    """Hosts with ports on a network."""
    return security_groups.hosts_of_network(tx, network_id)


def in_thread(work: Callable[[], None]) -> None:
    """Do it in a thread of its own: timers must be quick, and a pass reads the database."""
    threading.Thread(target=work, name="network-changed", daemon=True).start()


class _Changed:
    """What was gathered."""

    def __init__(self) -> None:
        self.groups: set[str] = set()
        self.networks: set[str] = set()
        self.ports: set[str] = set()

    def add(self, other: _Changed) -> None:
        """And this."""
        self.groups |= other.groups
        self.networks |= other.networks
        self.ports |= other.ports


class HostNotifier:
    """Gathers what changed, and tells the hosts. Thread-safe. `run` carries out a pass, away from the clock's thread."""

    def __init__(
        self, database: Database, bus: Bus, clock: Clock, *, run: Callable[[Callable[[], None]], None] = in_thread
    ) -> None:
        self._database, self._bus, self._clock, self._run = database, bus, clock, run
        self.delay_s = 1.0
        self._lock = threading.Lock()
        self._changed = _Changed()
        self._is_armed = False
        self._failures = 0  # in a row

    def groups_changed(self, tx: Tx, group_ids: Iterable[str]) -> None:
        """The rules or the members of these groups change with this transaction."""
        changed = set(group_ids)
        if changed:
            tx.after_commit(lambda: self._gather("groups", changed))

    def network_changed(self, tx: Tx, network_id: str) -> None:
        """A network, its subnets or the hosts that share it change with this transaction: it is of a new generation."""
        networks.renew(tx, network_id)
        tx.after_commit(lambda: self._gather("networks", {network_id}))

    def port_changed(self, tx: Tx, port_id: str) -> None:
        """A port changes with this transaction."""
        tx.after_commit(lambda: self._gather("ports", {port_id}))

    def _gather(self, kind: str, ids: set[str]) -> None:
        with self._lock:
            getattr(self._changed, kind).update(ids)
        self._arm()

    def _arm(self) -> None:
        with self._lock:
            is_first, self._is_armed = not self._is_armed, True
        if is_first:
            self._clock.call_later(self.delay_s * 2**self._failures, lambda: self._run(self._tell_or_log))

    def _tell_or_log(self) -> None:
        try:
            self.tell()
        except Exception:  # noqa: BLE001 - the edge of a thread: nobody else would hear of it
            _log.exception("hosts were not told of a change of the networks", failures=self._failures)

    def tell(self) -> None:
        """
        One pass: tell every host concerned by what was gathered.

        Raises what went wrong; the next pass, later each time, tells it.
        """
        with self._lock:
            changed, self._changed, self._is_armed = self._changed, _Changed(), False
        try:
            self._tell(changed)
            self._failures = 0
        except Exception:
            self._failures += 1
            with self._lock:
                self._changed.add(changed)
            if self._failures <= _ATTEMPTS:
                self._arm()
            raise

    def _tell(self, changed: _Changed) -> None:
        parts: dict[str, list[HostNetwork]] = {}
        with self._database.read() as tx:
            for hosts, part in _parts(tx, changed):
                for host in hosts:
                    parts.setdefault(host, []).append(part)
        for host in sorted(parts):
            self._bus.cast(f"agent.{host}", NetworkChanged(part=_joined(parts[host])))


def _parts(tx: Tx, changed: _Changed) -> Iterable[tuple[set[str], HostNetwork]]:
    """Who must be told what."""
    those = networks.by_ids(tx, changed.networks) if changed.networks else {}
    its = subnets.of_networks(tx, those) if those else {}
    ends = tunnels.ends(tx, those)
    for network in those.values():
        spec = hostview.network_spec(network, its[network.id], ends[network.id])
        yield hosts_of_network(tx, network.id), HostNetwork(networks=(spec,))
    for host, part in hostview.for_ports(tx, changed.ports).items() if changed.ports else ():
        yield {host}, part
    for group_id in changed.groups:
        if hosts := hosts_of_groups(tx, [group_id]):
            yield hosts, HostNetwork(groups=hostview.group_specs(tx, {group_id}))


def _joined(parts: list[HostNetwork]) -> HostNetwork:
    """Several parts as one; what two of them speak of was read in one snapshot, and is the same."""
    return HostNetwork(
        networks=tuple({one.id: one for part in parts for one in part.networks}.values()),
        ports=tuple({one.id: one for part in parts for one in part.ports}.values()),
        groups=tuple({one.id: one for part in parts for one in part.groups}.values()),
    )
