"""
The epoch of the database: what generations are counted in.

A network, a group, a server is one generation on with each change that its hosts are told, and a host ignores what is not newer
than what it has. That holds as long as the records only go forward. A database that was restored from a backup, or is now that of
a standby which lacked the last commits, has gone back: it counts on from 55 where hosts have seen 57, and they would ignore that
a port was closed in 56. So it begins an epoch: a new name, which everything that names a generation names too. A host that hears
another name than the one it knows asks the control plane for the whole of its state (`agent/service.py`).

    epoch begins    at the first start; by `kilonova restore`; by `kilonova db new-epoch`, after whatever else took records back

A process reads the name once, before it serves: it is in no transaction's way. That is sound as records go back only while no
process of the control plane runs: one that did would hold much else that is no longer so.
"""

from __future__ import annotations

from kilonova.domain.clock import Clock, Ids
from kilonova.store.database import Database
from kilonova.store.queries import epochs, hosts
from kilonova.store.schema import lock

_LOCK = 0x6B696C65
FIRST, BY_HAND = "the first start", "kilonova db new-epoch"


class Epoch:
    """The present one's name, once it has been read; "" before."""

    def __init__(self, db: Database, clock: Clock, ids: Ids) -> None:
        self._db, self._clock, self._ids = db, clock, ids
        self._name = ""

    def __call__(self) -> str:
        return self._name

    def read(self) -> None:
        """Learn it; the very first process begins the first. Raises DatabaseAway."""
        with self._db.read() as tx:
            found = epochs.current(tx)
        self._name = found or self._first()

    def begin(self, why: str) -> str:
        """
        Begin a new one; its name.

        Hosts have been heard of just now: what they said since the backup is lost, and none shall be given up for dead for that.
        """
        now = self._clock.now()
        with self._db.write() as tx:
            self._name = self._ids.uuid()
            epochs.begin(tx, self._name, now, why)
            hosts.seen(tx, [host.name for host in hosts.every(tx)], now)
        return self._name

    def _first(self) -> str:
        with self._db.write() as tx:
            lock(tx.connection, _LOCK)
            name = epochs.current(tx)
            if name is None:
                name = self._ids.uuid()
                epochs.begin(tx, name, self._clock.now(), FIRST)
        return name
