"""
What is closed to all guests, gathered: where hosts, bus, database and listeners are, and what the operator names.

It depends on records and settings alone, so that all conductors tell the same. A host is told it when it joins; after that it
says now and then which one it has (`HeldNetworks.reach`), and is told anew what it lacks.
"""

from __future__ import annotations

import socket
from collections.abc import Iterable
from ipaddress import ip_address, ip_network

import msgspec
import structlog

from kilonova.domain.reach import GuestReach, collapsed
from kilonova.domain.reserved import Range
from kilonova.store.database import Database
from kilonova.store.queries import hosts

_log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)


class ReachSettings(msgspec.Struct, frozen=True, kw_only=True):
    """`closed`, `opened`: as the operator says; `names`: of the machines that the cloud itself needs, or their addresses."""

    closed: tuple[str, ...] = ()
    opened: tuple[str, ...] = ()
    names: tuple[str, ...] = ()


class GuestReachReconciler:
    """A reconciler of the conductor's; `now` is what it found last."""

    name = "guest_reach"
    period_s = 30.0

    def __init__(self, database: Database, settings: ReachSettings) -> None:
        self._database, self._settings = database, settings
        self._resolved: dict[str, tuple[str, ...]] = {}  # by name; kept while it cannot be asked for
        self._now: GuestReach | None = None

    def now(self) -> GuestReach | None:
        """What hosts are to be told; None before it was looked for."""
        return self._now

    def activate(self) -> dict[str, int]:
        """Look at the hosts' addresses and the names anew."""
        with self._database.read() as tx:
            addresses = hosts.addresses(tx)
        for name in self._settings.names:
            self._resolved[name] = _resolve(name) or self._resolved.get(name, ())
        addresses.update(one for found in self._resolved.values() for one in found)
        ranges = collapsed([*map(ip_network, self._settings.closed), *_closable(addresses)])
        self._now = GuestReach(closed=tuple(map(str, ranges)), opened=self._settings.opened)
        return {"closed": len(ranges)}


def _resolve(name: str) -> tuple[str, ...]:
    try:
        found = socket.getaddrinfo(name, None, type=socket.SOCK_STREAM)
    except OSError as why:
        _log.warning("a machine that guests are to be kept from has no address now", name=name, why=str(why))
        return ()
    return tuple(sorted({str(entry[4][0]).partition("%")[0] for entry in found}))


def _closable(addresses: Iterable[str]) -> Iterable[Range]:
    """Those that are addresses at all, and not closed anyway; hosts said them."""
    for text in addresses:
        try:
            address = ip_address(text)
        except ValueError:
            continue
        if not (address.is_loopback or address.is_link_local or address.is_unspecified or "%" in text):
            yield ip_network(address)
