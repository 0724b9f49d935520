"""Limits by layers, and use that cannot pass them."""

from __future__ import annotations

import threading

import pytest

from kilonova.domain.errors import OverQuota
from kilonova.store.database import Database
from kilonova.store.queries import quotas


def test_the_nearest_limit_holds(database: Database) -> None:
    with database.write() as tx:
        assert quotas.limits(tx, "p") == quotas.BUILT_IN
        quotas.set_limits(tx, quotas.class_key("default"), {"cores": 5, "ram": 6})
        quotas.set_limits(tx, "p", {"cores": 7})
        quotas.set_limits(tx, "p", {"instances": 1}, "u")
        assert [quotas.limits(tx, *whose)["cores"] for whose in (("q",), ("p",), ("p", "u"))] == [5, 7, 7]
        assert [quotas.limits(tx, *whose)["instances"] for whose in (("p",), ("p", "u"))] == [10, 1]
        quotas.set_limits(tx, "p", {"cores": 8})
        assert quotas.limits(tx, "p", "u")["cores"] == 8
        quotas.forget(tx, "p", "u")
        assert quotas.limits(tx, "p", "u")["instances"] == 10
        quotas.forget(tx, "p")
        assert quotas.limits(tx, "p")["cores"] == 5


def test_use_is_counted_up_to_the_limit_and_no_further(database: Database) -> None:
    with database.write() as tx:
        quotas.take(tx, "p", {"cores": 3}, {"cores": 4})
        quotas.take(tx, "p", {"cores": 1}, {"cores": 4})
    with pytest.raises(OverQuota, match="requested 1, but already used 4 of 4 cores"), database.write() as tx:
        quotas.take(tx, "p", {"cores": 1}, {"cores": 4})
    with database.write() as tx:
        assert quotas.used(tx, "p") == {"cores": 4}
        quotas.take(tx, "p", {"cores": 100}, {"cores": -1})


def test_two_at_once_cannot_both_have_the_last_one(database: Database) -> None:
    outcomes: list[str] = []
    barrier = threading.Barrier(6)

    def one() -> None:
        barrier.wait(10)
        try:
            with database.write() as tx:
                quotas.take(tx, "p", {"instances": 1}, {"instances": 2})
            outcomes.append("taken")
        except OverQuota:
            outcomes.append("refused")

    threads = [threading.Thread(target=one) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert sorted(outcomes) == ["refused"] * 4 + ["taken"] * 2
    with database.read() as tx:
        assert quotas.used(tx, "p") == {"instances": 2}
