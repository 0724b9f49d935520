"""Keeps hosts' bus users as they should be, whoever made or removed their hosts and when."""

from __future__ import annotations

from kilonova.rpc.host_accounts import HostAccounts
from kilonova.store.database import Database
from kilonova.store.queries import host_access


class HostAccountsReconciler:
    """
    A user on the bus whose host has no credential that counts is nobody's: the broker did not answer when the host was removed,
    or it was removed by os-services. Those of the others may have been made by an earlier release: a conductor that has started
    has them be allowed what this one needs. A queue that is gone is made again: a host may not make its own.

    It has the queues be bounded, too, once it has started.

    It acts on hosts of its records alone; a user that no record knows may be another cloud's on the same broker.
    """

    name = "host_accounts"
    period_s = 300.0

    def __init__(self, db: Database, accounts: HostAccounts) -> None:
        self._db, self._accounts = db, accounts
        self._are_of_this_release = False

    def activate(self) -> dict[str, int]:
        """Remove those of hosts that are gone; the first time, look at all of the others too."""
        if not self._are_of_this_release:
            self._accounts.bound_queues()
        there = set(self._accounts.hosts())
        to_do = set(self._accounts.lacking()) if self._are_of_this_release else there
        with self._db.read() as tx:
            gone = [host for host in host_access.revoked_hosts(tx) if host in there]
            live = sorted(host_access.live_hosts(tx) & to_do) if to_do else []
        for host in live:
            self._accounts.allow(host)
        self._are_of_this_release = True
        return {"removed": sum(self._remove(host) for host in gone), "allowed": len(live)}

    def _remove(self, host: str) -> bool:
        """Under a lock, so that a host that joins again this very moment keeps the user it is given."""
        with self._db.write() as tx:
            held = host_access.credential(tx, host, lock=True)
            is_gone = held is not None and held.revoked_at is not None
            if is_gone:
                self._accounts.remove(host)
        return is_gone
