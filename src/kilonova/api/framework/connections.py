"""
Who is connected, and how many may be.

A connection over a bound is not just closed: it may ask for one thing, at once, and is told 429 or 503 unless that was health or
metrics. So whoever watches a cloud under attack still sees it. Of these there are `SURPLUS` at most, and the oldest goes for the
next: who is quick is answered, however many others open connections and say nothing.
"""

from __future__ import annotations

from collections import Counter, OrderedDict
from http import HTTPStatus
from typing import Protocol

import msgspec
import structlog

from kilonova.api.settings import ApiSettings
from kilonova.domain.addresses import ip_address, ip_client, ip_network
from kilonova.seldom import Seldom

SURPLUS = 64
_RESERVED = 512  # descriptors for all else: database, images, logs, bus
_FEWEST = 16
_log = structlog.get_logger(__name__)


class ConnectionLimits(msgspec.Struct, frozen=True, kw_only=True):
    """Bounds of a listener's connections; times in seconds, `least_rate` in bytes a second over `rate_window_s`."""

    connections: int = 4096
    per_address: int = 512
    trusted_proxies: tuple[str, ...] = ()
    keep_alive_s: int = 75
    head_bytes: int = 64 << 10
    head_s: float = 20.0
    surplus_head_s: float = 3.0
    least_rate: int = 1024
    rate_window_s: float = 15.0
    linger_s: float = 5.0
    always_answered: frozenset[bytes] = frozenset((b"/kilonova/v1/health", b"/metrics"))

    @classmethod
    def of(cls, settings: ApiSettings) -> ConnectionLimits:
        """As an API is set up."""
        return cls(
            connections=settings.connections,
            per_address=settings.connections_per_address,
            trusted_proxies=settings.trusted_proxies,
            keep_alive_s=settings.keep_alive_s,
            least_rate=settings.least_rate,
            rate_window_s=settings.rate_window_s,
        )

    def within(self, descriptors: int) -> ConnectionLimits:
        """No more connections than a process of so many descriptors can have."""
        most = max(_FEWEST, descriptors - _RESERVED - SURPLUS)
        return msgspec.structs.replace(self, connections=min(self.connections, most))


class Member(Protocol):
    """A connection, as far as the table knows it."""

    def abort(self) -> None:
        """Close it at once."""

    def part(self) -> None:
        """Wait for the other end no longer."""


class Connections:
    """The table of one listener, whose thread alone changes it; `counts` may be asked from any."""

    def __init__(self, limits: ConnectionLimits | None = None) -> None:
        self.limits = limits or ConnectionLimits()
        self._proxies = [ip_network(one) for one in self.limits.trusted_proxies]
        self._open: dict[Member, str] = {}
        self._by_client: Counter[str] = Counter()
        self._surplus: OrderedDict[Member, None] = OrderedDict()
        self._turned_away: Counter[str] = Counter()
        self._tell = Seldom()

    def came(self, member: Member, address: str) -> HTTPStatus | None:
        """A new connection. What it is to be told unless it asks for what is always answered; None: it is one of us."""
        client = ip_client(address)
        status = self._refusal(client, address)
        if status is None:
            self._open[member] = client
            self._by_client[client] += 1
            return None
        if len(self._surplus) >= SURPLUS:
            self._surplus.popitem(last=False)[0].abort()
        self._surplus[member] = None
        return status

    def went(self, member: Member) -> None:
        """It is gone."""
        self._surplus.pop(member, None)
        client = self._open.pop(member, None)
        if client is not None:
            self._by_client[client] -= 1
            if not self._by_client[client]:
                del self._by_client[client]

    def part(self) -> None:
        """The listener ends: no connection lingers."""
        for member in [*self._open, *self._surplus]:
            member.part()

    def turned_away(self, why: str, address: str) -> None:
        """Note that a client was refused or cut off."""
        self._turned_away[why] += 1
        if times := self._tell(why):
            _log.warning("clients are turned away", why=why, times=times, last_address=address, open=len(self._open))

    def counts(self) -> dict[str, int]:
        """How many are open, how many may be, and how often clients were turned away, by why."""
        return {"open": len(self._open), "limit": self.limits.connections, **self._turned_away.copy()}

    def _refusal(self, client: str, address: str) -> HTTPStatus | None:
        if len(self._open) >= self.limits.connections:
            return HTTPStatus.SERVICE_UNAVAILABLE
        if self._by_client.get(client, 0) >= self.limits.per_address and not self._is_proxy(address):
            return HTTPStatus.TOO_MANY_REQUESTS
        return None

    def _is_proxy(self, address: str) -> bool:
        try:
            one = ip_address(address)
        except ValueError:
            return False
        return any(one in proxies for proxies in self._proxies)
