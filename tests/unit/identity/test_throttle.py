"""Who guesses waits, and nobody else does."""

from __future__ import annotations

import pytest

from kilonova.identity import throttle as module
from kilonova.identity.throttle import CAPACITY, FORGET_S, FREE_FAILURES, LONGEST_S, LoginThrottle, TooManyAttempts
from tests.world.clock import ManualClock


@pytest.fixture
def throttle(clock: ManualClock) -> LoginThrottle:
    return LoginThrottle(clock)


def fail(throttle: LoginThrottle, times: int, account: str = "u", address: str = "a") -> None:
    for _ in range(times):
        throttle.failed(account, address)


def test_a_few_failures_are_free(throttle: LoginThrottle) -> None:
    fail(throttle, FREE_FAILURES)
    throttle.check("u", "a")


def test_then_each_failure_doubles_the_wait_up_to_a_minute(throttle: LoginThrottle, clock: ManualClock) -> None:
    fail(throttle, FREE_FAILURES)
    waits = []
    for _ in range(8):
        throttle.failed("u", "a")
        with pytest.raises(TooManyAttempts) as refused:
            throttle.check("u", "a")
        waits.append(refused.value.retry_after_s)
        clock.advance(waits[-1])
        throttle.check("u", "a")
    assert waits[:4] == [2, 4, 8, 16]
    assert waits[-1] == LONGEST_S


def test_the_wait_binds_account_and_address_together(throttle: LoginThrottle) -> None:
    fail(throttle, FREE_FAILURES + 1)
    throttle.check("u", "elsewhere")
    throttle.check("other", "a")


def test_success_and_time_forgive(throttle: LoginThrottle, clock: ManualClock) -> None:
    fail(throttle, FREE_FAILURES + 1)
    throttle.succeeded("u", "a")
    throttle.check("u", "a")
    fail(throttle, FREE_FAILURES)
    clock.advance(FORGET_S + 1)
    fail(throttle, FREE_FAILURES)
    throttle.check("u", "a")


def test_the_table_is_bounded(throttle: LoginThrottle, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "CAPACITY", 10)
    for i in range(50):
        throttle.failed(f"u{i}", "a")
    assert len(throttle._records) == 10 < CAPACITY
