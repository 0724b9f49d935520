"""
Counts what should not exist. Zero is the only good answer.

The records are read first, the hosts are asked, and the records are read again: something is an orphan only when it was
one before and after, so that a boot or delete under way is never counted. A host that does not answer is named, not
passed over.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import timedelta

import msgspec

from kilonova.domain.clock import Clock
from kilonova.domain.host import is_alive
from kilonova.rpc.bus import Bus, NoAnswer
from kilonova.rpc.messages import Inventory, TakeInventory
from kilonova.store.database import Database
from kilonova.store.queries import audit, hosts

_LATE_BY = timedelta(seconds=30)

AuditPart = Callable[[], dict[str, list[str]]]
"""What a neighbouring service finds of its own that should not exist, by kind."""


class AuditReport(msgspec.Struct, frozen=True, kw_only=True):
    """`orphans` lists what was found, by kind; `counts` counts it; `total` is their sum. `silent_hosts` could not be asked."""

    total: int
    counts: dict[str, int]
    orphans: dict[str, list[str]]
    silent_hosts: list[str]


class Audit:
    """Looks through the records and the hosts, and has the neighbours look through theirs."""

    def __init__(self, db: Database, bus: Bus, clock: Clock, neighbours: Sequence[AuditPart] = ()) -> None:
        self._db, self._bus, self._clock, self._neighbours = db, bus, clock, neighbours

    def __call__(self) -> AuditReport:
        """Look."""
        before = self._records()
        inventories, silent = self._ask_hosts()
        after = self._records()
        found = {kind: sorted(set(after[kind]) & set(before[kind])) for kind in after}
        for host, (expected, inventory) in inventories.items():
            for kind, things in self._compare(host, expected, inventory).items():
                found.setdefault(kind, []).extend(f"{host}: {thing}" for thing in things)
        counts = {kind: len(things) for kind, things in found.items()}
        orphans = {kind: things for kind, things in found.items() if things}
        return AuditReport(total=sum(counts.values()), counts=counts, orphans=orphans, silent_hosts=silent)

    def _records(self) -> dict[str, list[str]]:
        with self._db.read() as tx:
            found = {
                "stuck_servers": audit.stuck_servers(tx),
                "stuck_sagas": audit.stuck_sagas(tx, self._clock.now(), _LATE_BY),
                "ports": audit.ports_without_server(tx),
                "addresses": audit.addresses_without_port(tx),
                "allocations": audit.allocations_without_server(tx),
                "unallocated_servers": audit.servers_without_allocation(tx),
                "host_counters": audit.hosts_that_do_not_add_up(tx),
                "quota_counters": audit.quotas_that_do_not_add_up(tx),
            }
        for part in self._neighbours:
            found |= part()
        return found

    def _ask_hosts(self) -> tuple[dict[str, tuple[dict[str, bool], Inventory]], list[str]]:
        now = self._clock.now()
        with self._db.read() as tx:
            every = hosts.every(tx)
            expected = {host.name: audit.should_be_on(tx, host.name) for host in every}
        found: dict[str, tuple[dict[str, bool], Inventory]] = {}
        silent = []
        for host in every:
            try:
                answer = self._bus.call(f"agent.{host.name}", TakeInventory())
            except NoAnswer:
                if is_alive(host.seen_at, now, forced_down=host.forced_down):
                    silent.append(host.name)
                continue
            if isinstance(answer, Inventory):
                found[host.name] = (expected[host.name], answer)
        return found, silent

    def _compare(self, host: str, before: dict[str, bool], inventory: Inventory) -> dict[str, list[str]]:
        """What the host has and no record explains, before or after it was asked; and what it must have and has not."""
        with self._db.read() as tx:
            after = audit.should_be_on(tx, host)
        known = before.keys() | after.keys()
        must = {server for server, must in after.items() if must and before.get(server)}
        found = {
            "domains": [machine for machine in inventory.machines if machine not in known],
            "lost_domains": sorted(must - set(inventory.machines)),
        }
        for kind, things in inventory.things.items():
            found[kind] = [thing for thing, server in things if server not in known]
        return found
