"""Takes bus users away from hosts that were removed while the broker did not answer, or by os-services."""

from __future__ import annotations

from kilonova.rpc.host_accounts import HostAccounts
from kilonova.store.database import Database
from kilonova.store.queries import host_access


class HostAccountsReconciler:
    """
    A user on the bus whose host has no credential that counts is nobody's.

    It acts on those whose credential was *revoked*; a user that no record knows may be another cloud's on the same broker.
    """

    name = "host_accounts"
    period_s = 300.0

    def __init__(self, db: Database, accounts: HostAccounts) -> None:
        self._db, self._accounts = db, accounts

    def activate(self) -> dict[str, int]:
        """Remove them."""
        there = set(self._accounts.hosts())
        with self._db.read() as tx:
            gone = [host for host in host_access.revoked_hosts(tx) if host in there]
        return {"removed": sum(self._remove(host) for host in gone)}

    def _remove(self, host: str) -> bool:
        """Under a lock, so that a host that joins again this very moment keeps the user it is given."""
        with self._db.write() as tx:
            held = host_access.credential(tx, host, lock=True)
            is_gone = held is not None and held.revoked_at is not None
            if is_gone:
                self._accounts.remove(host)
        return is_gone
