"""
Wrong logins slow down whoever makes them; a right one is let in.

Which secret is right is only known once it is hashed, so nobody is refused for what others did before: attempts are spaced. After
a few wrong ones (people mistype) the next is checked some time after the last, twice as long after each, up to a bound. It waits
for its turn without a thread (`Postponed`); only when turns are given out for `LONGEST_WAIT_S` already is it refused, unchecked.

    of                          wrong ones that are free   then one every
    an account from an address                         5   0.5, 1, 2, 4 s
    an account, from anywhere                         30   0.25, 0.5, 1 s
    an address, at any account                        60   0.1, 0.2, 0.4, 0.5 s

The last two bind only where the account has not been logged in to from that address lately, so that strangers who guess elsewhere
do not hold up its owner. Those who have been let in before are also hashed for in threads of their own (the lane `known`), and
the others in `hashing`: that lane's threads are the bound of all hashing that strangers can cause, whatever addresses they have.
Spacing lasts until there has been nothing wrong for `FORGET_S`; a right login does not end it, or a guesser at one's own address
would begin anew with each.

All of it is in memory, bounded, and of one process.
"""

from __future__ import annotations

import math
import threading
from collections import OrderedDict
from dataclasses import dataclass

import structlog

from kilonova.domain.addresses import ip_client
from kilonova.domain.clock import Clock
from kilonova.domain.errors import Postponed, Unavailable
from kilonova.seldom import Seldom

FREE_FAILURES = 5
LONGEST_WAIT_S = 10.0
FORGET_S = 900.0
KNOWN_S = 30 * 86400.0
CAPACITY = 10_000
_KEY = 255  # characters of a name that is somebody's invention
_SHOWN = 5
_log = structlog.get_logger(__name__)
Key = tuple[str, str]


class TooManyAttempts(Unavailable):
    """429: too many wrong logins are waiting for their turn; try again after `retry_after_s` seconds."""

    status = 429
    code = "too_many_attempts"

    def __init__(self, retry_after_s: int) -> None:
        super().__init__(
            "Too many failed authentication attempts for this account or from this address.",
            retry_after_s=retry_after_s,
            next_step=f"Try again in {retry_after_s} seconds.",
        )


@dataclass(frozen=True, slots=True)
class _Pace:
    """How many wrong ones are free, and the spacing after them: doubled each time from the first to the most, in seconds."""

    free: int
    first_s: float
    most_s: float

    def spacing(self, failures: int) -> float:
        over = failures - self.free
        return 0.0 if over <= 0 else min(self.first_s * 2.0 ** min(over - 1, 10), self.most_s)


_PAIR, _ACCOUNT, _ADDRESS = _Pace(FREE_FAILURES, 0.5, 4.0), _Pace(30, 0.25, 1.0), _Pace(60, 0.1, 0.5)


@dataclass(slots=True)
class _Record:
    pace: _Pace
    failures: int = 0
    last: float = 0.0
    next_at: float = 0.0


class LoginThrottle:
    """Knows who was wrong, and who was right; the oldest are forgotten first when there are too many."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._records: OrderedDict[Key, _Record] = OrderedDict()
        self._known: OrderedDict[Key, float] = OrderedDict()
        self._failed = self._delayed = self._refused = 0
        self._tell = Seldom(60.0)

    def admit(self, account: str, address: str, ticket: object) -> None:
        """
        Return if this attempt has its ticket and may be hashed for.

        Raises Postponed, with the ticket, when it is first seen: its turn may be at once. Raises TooManyAttempts.
        """
        account = account[:_KEY]
        have = ticket if isinstance(ticket, frozenset) else frozenset()
        if account in have:
            return
        now, client = self._clock.monotonic(), ip_client(address)
        with self._lock:
            known = self._is_known((account, client), now)
            wait_s = self._reserve(self._binding(account, client, known=known, now=now), now)
        raise Postponed(wait_s, "known" if known else "hashing", have | {account})

    def failed(self, account: str, address: str) -> None:
        """Note that a secret was wrong."""
        now, account, client = self._clock.monotonic(), account[:_KEY], ip_client(address)
        with self._lock:
            self._failed += 1
            pair = self._note((account, client), _PAIR, now)
            others = self._note((account, ""), _ACCOUNT, now), self._note(("", client), _ADDRESS, now)
        slowed = [one.failures for one in (pair, *others) if one.failures > one.pace.free]
        if slowed and (times := self._tell(account if pair.failures > pair.pace.free else client)):
            _log.warning("logins are being guessed", account=account, address=client, wrong=max(slowed), times=times)

    def refuse(self, account: str, address: str) -> None:
        """As `failed`, for a secret that nobody guesses in a lifetime and is always looked at: raises TooManyAttempts."""
        now, key = self._clock.monotonic(), (account[:_KEY], ip_client(address))
        with self._lock:
            before = self._records.get(key)
            wait_s = 0.0 if before is None else before.next_at - now
        self.failed(account, address)
        if wait_s > 0:
            raise TooManyAttempts(math.ceil(wait_s))

    def succeeded(self, account: str, address: str) -> None:
        """Note that this account's owner is at this address."""
        key = account[:_KEY], ip_client(address)
        with self._lock:
            self._known.pop(key, None)
            self._known[key] = self._clock.monotonic()
            if len(self._known) > CAPACITY:
                self._known.popitem(last=False)

    def counts(self) -> dict[str, int]:
        """Since the process began: wrong ones, those that had to wait, those that were refused."""
        return {"failed": self._failed, "delayed": self._delayed, "refused": self._refused}

    def guessed(self) -> list[str]:
        """The accounts that are guessed at, the latest first and a few alone."""
        now = self._clock.monotonic()
        with self._lock:
            found = [
                account
                for (account, _), one in reversed(self._records.items())
                if account and one.failures > one.pace.free and now - one.last <= FORGET_S
            ]
        return list(dict.fromkeys(found))[:_SHOWN]

    def _is_known(self, key: Key, now: float) -> bool:
        return now - self._known.get(key, -math.inf) <= KNOWN_S

    def _binding(self, account: str, client: str, *, known: bool, now: float) -> list[_Record]:
        """The records whose spacing this attempt must keep."""
        keys = [(account, client)] if known else [(account, client), (account, ""), ("", client)]
        found = [self._records[key] for key in keys if key in self._records]
        return [one for one in found if one.failures > one.pace.free and now - one.last <= FORGET_S]

    def _reserve(self, records: list[_Record], now: float) -> float:
        """The next turn that suits all of them, in seconds from now; it is taken. Raises TooManyAttempts."""
        turn = max([now, *(one.next_at for one in records)])
        if turn - now > LONGEST_WAIT_S:
            self._refused += 1
            raise TooManyAttempts(math.ceil(turn - now))
        for one in records:
            one.next_at = turn + one.pace.spacing(one.failures)
        self._delayed += turn > now
        return turn - now

    def _note(self, key: Key, pace: _Pace, now: float) -> _Record:
        record = self._records.pop(key, None)
        if record is None or now - record.last > FORGET_S:
            record = _Record(pace)
        record.failures, record.last = record.failures + 1, now
        record.next_at = max(record.next_at, now + pace.spacing(record.failures))
        self._records[key] = record
        if len(self._records) > CAPACITY:
            self._records.popitem(last=False)
        return record
