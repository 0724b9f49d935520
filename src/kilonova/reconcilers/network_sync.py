"""
Telling hosts what changed in the networks and security groups that they share.

The log says what may have changed, an address at a time. A pass takes its entries out, raises the generations of the things they
are about, reads how those are now, and fans one message a thing out to `share.<id>`, which its hosts follow. So a change costs
what changed, not the size of the group and not, here, the number of its hosts; the broker hands the copies out.

What is sent are values read after the entries were taken, so sending too much is harmless, and what changes meanwhile has an
entry of its own. A pass that dies between its commit and its messages leaves hosts a generation behind: they find out with the
next change, or when they say what they hold (`hostview.newer`).

A group's members may be on every host of a fleet. Entries wait until the oldest about the same thing is `GATHER_S` old, or older
where many hosts share it, so that the hosts of one thing hear a bounded number of messages a second, whatever the number of
conductors. Until they hear it, a new member is not let in by the others, and one that is gone would be.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime

from kilonova.domain.clock import Clock
from kilonova.domain.hostnet import ShareChange
from kilonova.network import hostview
from kilonova.network.changes import GATHER_S
from kilonova.rpc.bus import Bus
from kilonova.rpc.messages import NetworkChanged, NetworksChanged, ShareChanged
from kilonova.store.database import Database, Tx
from kilonova.store.queries import network_changes, security_groups, tunnels
from kilonova.store.queries.network_changes import GROUP, NETWORK, PORT, Entry, Waiting

HEARD_A_SECOND = 200  # messages about one thing, by all its hosts together
_DELAYS_LAST_S = 30.0
_MOST_DELAYS = 10_000


class NetworkSync:
    """A reconciler of the conductor's."""

    name = "network_sync"
    period_s = 10.0

    def __init__(self, database: Database, bus: Bus, clock: Clock) -> None:
        self._database, self._bus, self._clock = database, bus, clock
        self._is_armed = False
        self._delays: dict[str, tuple[float, float]] = {}  # by thing: seconds, and when that was found out

    def activate(self) -> dict[str, int]:
        """Tell what is due; come again when the rest is."""
        told = 0
        while True:
            waits_s = self._waits_s()
            due = [thing_id for thing_id, wait_s in waits_s.items() if wait_s <= 0]
            if not due or not (entries := self._pass(due)):  # none: another conductor is at it
                break
            told += entries
        if waits_s and not self._is_armed:
            self._is_armed = True
            self._clock.call_later(max(GATHER_S, min(waits_s.values())), self._come_again)
        return {"told": told}

    def _come_again(self) -> None:
        self._is_armed = False
        self._bus.cast("conductor", NetworksChanged())

    def _waits_s(self) -> dict[str, float]:
        """By network, group and port that something waits to be told of, in how many seconds it is due."""
        with self._database.read() as tx:
            now = self._clock.now()
            waits_s = {}
            for one in network_changes.waiting(tx):
                age_s = (now - one.since).total_seconds()
                # One whose clock is ahead wrote it: better soon than late.
                waits_s[one.thing_id] = self._delay_s(tx, one) - age_s if age_s >= 0 else 0.0
        return waits_s

    def _delay_s(self, tx: Tx, one: Waiting) -> float:
        if one.kind == PORT:
            return GATHER_S
        now = self._clock.monotonic()
        delay_s, found_at = self._delays.get(one.thing_id, (0.0, float("-inf")))
        if now - found_at > _DELAYS_LAST_S:
            sharing = network_changes.hosts_sharing(tx, one.kind, one.thing_id)
            delay_s = max(GATHER_S, sharing / HEARD_A_SECOND)
            if len(self._delays) > _MOST_DELAYS:
                self._delays.clear()
            self._delays[one.thing_id] = (delay_s, now)
        return delay_s

    def _pass(self, due: Sequence[str]) -> int:
        """How many entries it told of."""
        now = self._clock.now()
        with self._database.write() as tx:
            entries = network_changes.take(tx, due)
            networks = _of_networks(tx, _by_thing(entries, NETWORK), now)
            shares = [*networks, *_of_groups(tx, _by_thing(entries, GROUP), now)]
            parts = hostview.for_ports(tx, _by_thing(entries, PORT))
        for change in shares:
            self._bus.fanout(f"share.{change.id}", ShareChanged(change=change))
        for host, part in parts.items():
            self._bus.cast(f"agent.{host}", NetworkChanged(part=part))
        return len(entries)


def _by_thing(entries: Iterable[Entry], kind: str) -> dict[str, list[Entry]]:
    found: dict[str, list[Entry]] = {}
    for entry in entries:
        if entry.kind == kind:
            found.setdefault(entry.thing_id, []).append(entry)
    return found


def _of_networks(tx: Tx, changed: dict[str, list[Entry]], now: datetime) -> Iterator[ShareChange]:
    generations = network_changes.raise_generations(tx, NETWORK, changed, now)
    whole = [ident for ident in generations if any(not entry.about for entry in changed[ident])]
    for spec in hostview.network_specs(tx, whole):
        yield ShareChange(id=spec.id, generation=spec.generation, network=spec)
    for ident in generations.keys() - set(whole):
        addresses = tunnels.addresses(tx, {entry.about for entry in changed[ident]})
        there = tunnels.sharing(tx, ident, addresses)
        yield ShareChange(
            id=ident,
            generation=generations[ident],
            come=_by_network((ident, address) for host, address in addresses.items() if host in there),
            gone=_by_network((ident, address) for host, address in addresses.items() if host not in there),
        )


def _of_groups(tx: Tx, changed: dict[str, list[Entry]], now: datetime) -> Iterator[ShareChange]:
    generations = network_changes.raise_generations(tx, GROUP, changed, now)
    ruled = [ident for ident in generations if any(not entry.about for entry in changed[ident])]
    rules = security_groups.rules_of(tx, ruled) if ruled else {}
    for ident, generation in generations.items():
        named = {(entry.network_id, entry.about) for entry in changed[ident] if entry.about}
        there = network_changes.members_among(tx, ident, [about for _, about in named]) if named else set()
        yield ShareChange(
            id=ident,
            generation=generation,
            rules=tuple(map(hostview.rule_spec, rules[ident])) if ident in rules else None,
            come=_by_network(named & there),
            gone=_by_network(named - there),
        )


def _by_network(pairs: Iterable[tuple[str, str]]) -> dict[str, tuple[str, ...]]:
    found: dict[str, list[str]] = {}
    for network_id, address in sorted(pairs):
        found.setdefault(network_id, []).append(address)
    return {network_id: tuple(addresses) for network_id, addresses in found.items()}
