"""Who guesses waits for turns, and nobody is refused for what others did."""

from __future__ import annotations

import pytest
import structlog

from kilonova.domain.errors import Postponed
from kilonova.identity import throttle as module
from kilonova.identity.throttle import (
    CAPACITY,
    FORGET_S,
    FREE_FAILURES,
    KNOWN_S,
    LONGEST_WAIT_S,
    LoginThrottle,
    TooManyAttempts,
)
from tests.world.clock import ManualClock

HOME, OFFICE, BAR = "192.0.2.1", "192.0.2.2", "198.51.100.7"


@pytest.fixture
def throttle(clock: ManualClock) -> LoginThrottle:
    return LoginThrottle(clock)


def turn(throttle: LoginThrottle, account: str = "u", address: str = HOME) -> tuple[float, str]:
    """When an attempt may be looked at, in seconds from now, and by which threads."""
    with pytest.raises(Postponed) as told:
        throttle.admit(account, address, None)
    throttle.admit(account, address, told.value.ticket)
    return told.value.wait_s, told.value.lane


def wait_s(throttle: LoginThrottle, account: str = "u", address: str = HOME) -> float:
    return turn(throttle, account, address)[0]


def fail(throttle: LoginThrottle, times: int, account: str = "u", address: str = HOME) -> None:
    for _ in range(times):
        throttle.failed(account, address)


def test_a_few_failures_are_free(throttle: LoginThrottle) -> None:
    fail(throttle, FREE_FAILURES)
    assert wait_s(throttle) == wait_s(throttle) == 0


def test_then_each_waits_for_its_turn_and_turns_get_rarer(throttle: LoginThrottle, clock: ManualClock) -> None:
    fail(throttle, FREE_FAILURES)
    waits = []
    for _ in range(6):
        throttle.failed("u", HOME)
        waits.append(wait_s(throttle))
        clock.advance(waits[-1])
    assert waits == [0.5, 1.0, 2.0, 4.0, 4.0, 4.0]


def test_turns_are_given_once_and_not_for_ever(throttle: LoginThrottle, clock: ManualClock) -> None:
    fail(throttle, FREE_FAILURES + 10)
    assert [wait_s(throttle) for _ in range(2)] == [4.0, 8.0]
    with pytest.raises(TooManyAttempts) as refused:
        throttle.admit("u", HOME, None)
    assert refused.value.retry_after_s == 12
    clock.advance(12 - LONGEST_WAIT_S)
    assert wait_s(throttle) == LONGEST_WAIT_S
    assert throttle.counts() == {"failed": 15, "delayed": 3, "refused": 1}


def test_so_many_are_looked_at_in_an_hour_however_many_are_sent(throttle: LoginThrottle, clock: ManualClock) -> None:
    looked_at = 0
    for _ in range(3600):
        try:
            throttle.admit("u", HOME, None)
        except Postponed:
            looked_at += 1
            throttle.failed("u", HOME)
        except TooManyAttempts:
            pass
        clock.advance(1)
    assert looked_at <= FREE_FAILURES + 3600 / 4 + 5


def test_guesses_elsewhere_do_not_hold_up_who_was_let_in_before(throttle: LoginThrottle) -> None:
    throttle.succeeded("u", HOME)
    for i in range(100):
        fail(throttle, 1, address=f"198.51.100.{i}")
    assert turn(throttle) == (0, "known")
    wait, lane = turn(throttle, address=OFFICE)
    assert (wait > 0, lane) == (True, "hashing")


def test_who_guesses_at_many_accounts_from_one_address_waits_too(throttle: LoginThrottle) -> None:
    for i in range(100):
        fail(throttle, 1, account=f"u{i}", address=BAR)
    assert wait_s(throttle, "another", BAR) == 0.5
    assert wait_s(throttle, "another", HOME) == 0
    throttle.succeeded("u1", BAR)
    assert wait_s(throttle, "u1", BAR) == 0


def test_an_address_is_the_same_however_it_is_written(throttle: LoginThrottle) -> None:
    for i in range(FREE_FAILURES + 1):
        fail(throttle, 1, address=f"2001:db8::{i:x}")
    assert wait_s(throttle, address="2001:db8::ffff") > 0
    assert wait_s(throttle, address="2001:db8:0:1::1") == 0


def test_a_ticket_is_for_one_account(throttle: LoginThrottle) -> None:
    with pytest.raises(Postponed) as told:
        throttle.admit("u", HOME, None)
    with pytest.raises(Postponed) as more:
        throttle.admit("v", HOME, told.value.ticket)
    throttle.admit("u", HOME, more.value.ticket)
    throttle.admit("v", HOME, more.value.ticket)


def test_a_right_one_does_not_give_a_guesser_at_the_same_address_a_new_beginning(throttle: LoginThrottle) -> None:
    fail(throttle, FREE_FAILURES + 5)
    throttle.succeeded("u", HOME)
    assert wait_s(throttle) > 0


def test_time_forgives_and_forgets(throttle: LoginThrottle, clock: ManualClock) -> None:
    fail(throttle, FREE_FAILURES + 5)
    throttle.succeeded("v", HOME)
    clock.advance(FORGET_S + 1)
    assert wait_s(throttle) == 0
    fail(throttle, FREE_FAILURES)
    assert wait_s(throttle) == 0
    assert turn(throttle, "v")[1] == "known"
    clock.advance(KNOWN_S)
    assert turn(throttle, "v")[1] == "hashing"


def test_the_operator_is_told_now_and_then(throttle: LoginThrottle) -> None:
    with structlog.testing.capture_logs() as logs:
        fail(throttle, 500)
    (told,) = logs
    assert (told["log_level"], told["account"], told["address"]) == ("warning", "u", HOME)
    assert throttle.guessed() == ["u"]


def test_what_is_remembered_is_bounded(throttle: LoginThrottle, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "CAPACITY", 10)
    for i in range(50):
        throttle.failed(f"u{i}" * 1000, f"192.0.2.{i}")
        throttle.succeeded(f"u{i}", HOME)
    assert len(throttle._records) == len(throttle._known) == 10 < CAPACITY
    assert all(len(account) <= 255 for account, _ in throttle._records)


def test_of_secrets_that_are_always_looked_at_wrong_ones_are_told_to_wait(throttle: LoginThrottle) -> None:
    for _ in range(FREE_FAILURES + 1):
        throttle.refuse("h", HOME)
    with pytest.raises(TooManyAttempts):
        throttle.refuse("h", HOME)
