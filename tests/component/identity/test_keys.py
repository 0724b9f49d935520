"""Rotating keys loses no token, in whatever process it was made."""

from __future__ import annotations

from datetime import timedelta

from kilonova.identity.keys import REFRESH, SETTLE, KeyRing
from kilonova.store.database import Database
from kilonova.store.queries import identity_tokens
from tests.world.clock import ManualClock

LIFE = timedelta(hours=1)


def ring(database: Database, clock: ManualClock, purpose: str = "token") -> KeyRing:
    return KeyRing(database, clock, purpose=purpose, life=LIFE)


def count(database: Database) -> int:
    with database.read() as tx:
        return len(identity_tokens.keys(tx, "token"))


def rotate(database: Database, keys: KeyRing) -> None:
    with database.write() as tx:
        keys.rotate(tx)


def test_processes_share_keys(database: Database) -> None:
    clock = ManualClock()
    one, other = ring(database, clock), ring(database, clock)
    assert other.open(one.seal(b"x")) == b"x"
    assert count(database) == 1


def test_purposes_do_not(database: Database) -> None:
    clock = ManualClock()
    assert ring(database, clock, "console").open(ring(database, clock).seal(b"x")) is None


def test_a_new_key_seals_only_when_every_process_must_know_it(database: Database) -> None:
    clock = ManualClock()
    one, other = ring(database, clock), ring(database, clock)
    assert other.open(one.seal(b"old")) == b"old"
    clock.advance(1)
    rotate(database, one)
    for _ in range(int(SETTLE.total_seconds()) + 120):
        assert other.open(one.seal(b"x")) == b"x"
        clock.advance(1)
    with database.read() as tx:
        young = identity_tokens.keys(tx, "token")[0]
    assert young.created_at + SETTLE < clock.now()
    assert SETTLE > REFRESH


def test_a_key_is_dropped_when_nothing_valid_was_sealed_with_it(database: Database) -> None:
    clock = ManualClock()
    keys = ring(database, clock)
    rotate(database, keys)
    clock.advance(86400)
    rotate(database, keys)
    clock.advance(SETTLE.total_seconds() - 1)
    last = keys.seal(b"x")  # with the first key, just before the second takes over
    clock.advance(LIFE.total_seconds())
    rotate(database, keys)
    assert keys.open(last) == b"x"
    clock.advance(2)
    rotate(database, keys)
    assert keys.open(last) is None
    assert count(database) == 3


def test_rotation_is_due_by_age(database: Database) -> None:
    clock = ManualClock()
    keys = ring(database, clock)
    did = []
    for seconds in (0, 10, 60):
        clock.advance(seconds)
        with database.write() as tx:
            did.append(keys.rotate_when_older(tx, timedelta(seconds=60)))
    assert did == [True, False, True]
