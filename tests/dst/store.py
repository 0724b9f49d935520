"""
One SQLite database in memory, and each life's view of it.

The engine lives as long as the Python process, for it keeps the compiled statements; a world begins by copying the template, with
tables, flavors and a network in it, over what the last one left. There is one connection, so transactions happen one after
another; other lives act between them (`Life` may be paused where a transaction would begin), never within.
"""

from __future__ import annotations

import random
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache

from sqlalchemy import Connection, create_engine
from sqlalchemy.pool import StaticPool

from kilonova.domain.clock import Ids
from kilonova.domain.flavor import Flavor
from kilonova.network.defaults import DefaultNetwork, ensure_default
from kilonova.network.networks import NetworkSettings
from kilonova.store.away import DatabaseAway
from kilonova.store.database import Database, Tx
from kilonova.store.queries import flavors, quotas
from kilonova.store.tables import metadata
from tests.dst.chance import Odds
from tests.dst.events import START, Events, Life

PROJECTS = ("project-a", "project-b", "project-c")
FLAVORS = {"small": (1, 512), "large": (2, 2048)}
NETWORK = DefaultNetwork(cidr="10.9.0.0/26", carried=NetworkSettings(kind="vxlan"))
LIMITS = {"instances": 4, "cores": 7, "ram": 1 << 20}


class Store:
    """The database itself."""

    def __init__(self) -> None:
        self.engine = create_engine(
            "sqlite://", poolclass=StaticPool, connect_args={"check_same_thread": False, "isolation_level": None}
        )
        self.connection: Connection = self.engine.connect()
        self.raw: sqlite3.Connection = self.connection.connection.driver_connection  # type: ignore[assignment]
        metadata.create_all(self.connection)
        self.connection.commit()
        self.raw.execute("PRAGMA foreign_keys=ON")
        self.is_open = False
        with self.transaction() as tx:
            _furnish(tx)
        self._template = sqlite3.connect(":memory:")
        self.raw.backup(self._template)

    def begin_anew(self) -> None:
        """Back to the template."""
        self._template.backup(self.raw)

    @contextmanager
    def transaction(self) -> Iterator[Tx]:
        """One transaction that works."""
        if self.is_open:
            raise RuntimeError("a transaction within a transaction")
        self.is_open = True
        tx = Tx(self.connection)
        try:
            self.connection.exec_driver_sql("BEGIN IMMEDIATE")
            yield tx
            self.connection.commit()
        except BaseException:
            self.connection.rollback()
            raise
        finally:
            self.is_open = False


@cache
def the_store() -> Store:
    """The one of this Python process."""
    return Store()


class LifeDatabase(Database):
    """
    The database as one life sees it. `committed` is called after each commit.
    """

    def __init__(self, store: Store, events: Events, life: Life, committed: Callable[[], None]) -> None:
        self.is_sqlite = True
        self.engine = store.engine
        self.odds = Odds.none
        self._store, self._events, self._life, self._committed = store, events, life, committed

    @contextmanager
    def read(self) -> Iterator[Tx]:
        self._begin()
        with self._store.transaction() as tx:
            yield tx

    @contextmanager
    def write(self) -> Iterator[Tx]:
        self._begin()
        odds, chance = self.odds(), self._events.chance
        with self._store.transaction() as tx:
            yield tx
            if chance.happens(odds.store_fails, "store failed"):
                raise DatabaseAway("the transaction failed")
        self._committed()
        if chance.happens(odds.store_unknown, "store unknown"):
            raise DatabaseAway("the answer to the commit was lost")
        if tx.hooks and chance.happens(odds.crash_send, "crash before sending"):
            self._life.end()
        self._life.check()
        self.run_hooks(tx)

    def _begin(self) -> None:
        self._life.check()
        odds, chance = self.odds(), self._events.chance
        if chance.happens(odds.pause, "paused"):
            self._events.pause(
                self._life, chance.between(61.0, 75.0) if chance.happens(0.1) else chance.between(0.0, 2.0)
            )
        if chance.happens(odds.store_fails, "store failed"):
            raise DatabaseAway("the connection failed")


def _furnish(tx: Tx) -> None:
    ids = Ids(random.Random(0))
    ensure_default(tx, NETWORK, "admin", ids=ids, now=START)
    for name, (vcpus, ram_mib) in FLAVORS.items():
        flavors.add(tx, Flavor(
            id=name, name=name, vcpus=vcpus, ram_mib=ram_mib, disk_gib=1, ephemeral_gib=0, swap_mib=0, rxtx_factor=1.0,
            is_public=True, disabled=False, description=None, extra_specs={}, created_at=START, updated_at=None,
        ))  # fmt: skip
    for project in PROJECTS:
        quotas.set_limits(tx, project, LIMITS)
