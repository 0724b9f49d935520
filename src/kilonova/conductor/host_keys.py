"""
What is sealed for which host, remembered for a few seconds: commands with secrets are many, and hosts' keys hardly ever change.

A host that tells another key is sent what waits for it again (`HostStarted`); a process that has not heard of it yet seals to the
old one for REFRESH_S more, which the host cannot open and takes for lost.
"""

from __future__ import annotations

import threading

from kilonova.domain.clock import Clock
from kilonova.store.away import DatabaseAway
from kilonova.store.database import Database
from kilonova.store.queries import host_access

REFRESH_S = 5.0


class HostKeys:
    """`of` fills `rpc.sealed_bus.KeyOf`. Safe to use from many threads."""

    def __init__(self, db: Database, clock: Clock) -> None:
        self._db, self._clock = db, clock
        self._lock = threading.Lock()
        self._keys: dict[str, str] = {}
        self._read_at = float("-inf")

    def of(self, host: str) -> str | None:
        """The host's public key, None for one that told none. Raises DatabaseAway when it was never known."""
        with self._lock:
            if self._clock.monotonic() - self._read_at > REFRESH_S:
                try:
                    with self._db.read() as tx:
                        self._keys = host_access.seal_keys_of_all(tx)
                    self._read_at = self._clock.monotonic()
                except DatabaseAway:
                    if host not in self._keys:
                        raise
            return self._keys.get(host)

    def forget(self) -> None:
        """A host has told its key here: all are read anew before the next is used."""
        self._read_at = float("-inf")
