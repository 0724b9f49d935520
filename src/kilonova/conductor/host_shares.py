"""
How much of the control plane's attention one host may have.

All hosts' words wait in one queue, which is bounded. A host that floods it (its agent is mad, or somebody else's) would have
those of all others refused at the broker and wait. So each has a share: messages and bytes, refilled with time, far more than an
honest agent needs (a hundred boots a second on one host). What is over it is dropped unread, which costs little; then the broker
itself silences the host for a while, which ends the flood at its spring. An honest agent loses nothing by that: what it has to
say waits in its outbox until it is let in, and the end of a command that was dropped is asked for again by who waits for it.

Each process counts for itself; of the control plane's own users nothing is counted.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import NamedTuple

import structlog

from kilonova.conductor.refusals import RefusalLog
from kilonova.domain.clock import Clock
from kilonova.domain.errors import Away, KilonovaError
from kilonova.domain.host_access import host_of
from kilonova.rpc.host_accounts import HostAccounts

TOO_MUCH = "it says more than its share"
TOO_LARGE = "the message is larger than any a host has to send"
SILENT_S = 30.0
_log = structlog.get_logger(__name__)


class Allowance(NamedTuple):
    """What a host may say: so much at once, and so much a second after that. No message is larger than `largest` bytes."""

    messages: float = 4_000
    messages_per_s: float = 500
    bytes: float = 64 << 20
    bytes_per_s: float = 4 << 20
    largest: int = 8 << 20


class _Left(NamedTuple):
    messages: float
    bytes: float
    at: float


class HostShares:
    """Counts what each host says. Safe to use from many threads. `has_room` fills `rpc.bus.Share`."""

    def __init__(
        self, clock: Clock, refusals: RefusalLog, accounts: HostAccounts, allowance: Allowance | None = None
    ) -> None:
        self._clock, self._refusals, self._accounts = clock, refusals, accounts
        self._allowance = allowance or Allowance()
        self._lock = threading.Lock()
        self._left: dict[str, _Left] = {}
        self._silent: set[str] = set()

    def has_room(self, user: str, size: int) -> bool:
        """Whether a message of `size` bytes from this bus user is looked at."""
        host = host_of(user)
        if host is None:
            return True
        is_small = size <= self._allowance.largest
        with self._lock:
            is_within = is_small and self._take(host, size)
            is_first = not is_within and host not in self._silent
            if is_first:
                self._silent.add(host)
        if is_first:  # once for all that it says too much now: a flood must not cost a transaction each
            _apart(self._silence, host, TOO_MUCH if is_small else TOO_LARGE)
        return is_within

    def _take(self, host: str, size: int) -> bool:
        may, now = self._allowance, self._clock.monotonic()
        left = self._left.get(host, _Left(may.messages, may.bytes, now))
        messages = min(may.messages, left.messages + (now - left.at) * may.messages_per_s)
        held = min(may.bytes, left.bytes + (now - left.at) * may.bytes_per_s)
        is_within = messages >= 1 and held >= size
        self._left[host] = _Left(messages - is_within, held - size * is_within, now)
        return is_within

    def _silence(self, host: str, why: str) -> None:
        """In a thread of its own: the broker may take its time, and so may the database."""
        try:
            self._accounts.silence(host)
            _log.warning("a host says too much; it is silenced", host=host, why=why, seconds=SILENT_S)
        except KilonovaError as problem:
            _log.warning("a host says too much and could not be silenced; it is not heard", host=host, why=str(problem))
        self._clock.call_later(SILENT_S, partial(_apart, self._let_speak, host))
        with suppress(Away):  # it is in the log, too
            self._refusals.note(f"host.{host}", "messages", why)

    def _let_speak(self, host: str) -> None:
        with self._lock:
            self._silent.discard(host)
            self._left.pop(host, None)
        try:
            self._accounts.allow(host)
        except KilonovaError as problem:  # the reconciler of accounts does it later
            _log.warning("a host that was silenced could not be let in again yet", host=host, why=str(problem))


def _apart(work: Callable[..., None], *about: str) -> None:
    threading.Thread(target=work, args=about, name="host-shares", daemon=True).start()
