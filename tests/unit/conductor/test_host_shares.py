from __future__ import annotations

import threading
from typing import Any

from kilonova.conductor.host_shares import SILENT_S, Allowance, HostShares
from kilonova.conductor.refusals import RefusalLog
from tests.fakes.accounts import RememberedAccounts
from tests.waiting import wait_until
from tests.world.clock import ManualClock

FEW = Allowance(messages=3, messages_per_s=1, bytes=100, bytes_per_s=10, largest=60)


class Noted(RefusalLog):
    """Only remembered."""

    def __init__(self) -> None:
        self.all: list[tuple[Any, ...]] = []

    def note(self, *what: Any) -> None:
        self.all.append(what)


def shares() -> tuple[HostShares, ManualClock, RememberedAccounts, Noted]:
    clock, accounts, noted = ManualClock(), RememberedAccounts(), Noted()
    return HostShares(clock, noted, accounts, FEW), clock, accounts, noted


def test_a_host_has_its_share_and_takes_none_of_anothers() -> None:
    made, clock, _, _ = shares()
    assert [made.has_room("host.a", 1) for _ in range(5)] == [True, True, True, False, False]
    assert made.has_room("host.b", 1)
    clock.advance(2.0)
    assert [made.has_room("host.a", 1) for _ in range(3)] == [True, True, False]


def test_bytes_count_too_and_no_message_is_too_large() -> None:
    made, _, _, _ = shares()
    assert [made.has_room("host.a", 50) for _ in range(3)] == [True, True, False]
    assert not made.has_room("host.b", 61)
    assert made.has_room("host.b", 60)


def test_the_control_planes_own_and_nobody_are_not_counted() -> None:
    made, _, accounts, _ = shares()
    assert all(made.has_room(user, 1 << 30) for user in ("kilonova", "") for _ in range(10))
    assert accounts.silenced == []


def test_a_host_is_silenced_once_and_let_in_again() -> None:
    made, clock, accounts, noted = shares()
    for _ in range(50):
        made.has_room("host.a", 1)
    wait_until(lambda: noted.all, "it is written down")
    assert accounts.silenced == ["a"]
    assert accounts.allowed == []
    clock.advance(SILENT_S)
    wait_until(lambda: accounts.allowed == ["a"], "it may speak")
    assert [made.has_room("host.a", 1) for _ in range(3)] == [True] * 3
    assert len(noted.all) == 1


def test_a_broker_that_is_away_leaves_the_host_unheard() -> None:
    made, clock, accounts, noted = shares()
    accounts.is_down = True
    assert [made.has_room("host.a", 1) for _ in range(4)] == [True, True, True, False]
    wait_until(lambda: noted.all, "it is written down")
    clock.advance(SILENT_S)
    wait_until(lambda: not any(one.name == "host-shares" for one in threading.enumerate()), "it has tried")
    assert made.has_room("host.a", 1)
