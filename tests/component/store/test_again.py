"""Two transactions that wait for each other, on a real PostgreSQL: the one it ends is done again, and nobody hears of it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from kilonova.api.framework import COMPUTE, Policy, Rim, Route, Service
from kilonova.domain.saga import JournalEvent, Saga
from kilonova.domain.status import status_of
from kilonova.store.again import TRIES, until_done
from kilonova.store.away import TransactionConflict
from kilonova.store.database import Database
from kilonova.store.queries.counters import next_number
from tests import databases
from tests.apiclient import FakeAuthenticator, client
from tests.world.plane import World


@pytest.fixture
def database(postgres: databases.Cluster | None) -> Iterator[Database]:
    if postgres is None:
        pytest.skip("PostgreSQL is not installed: apt-get install postgresql")
    with postgres.database() as url:
        made = Database(url)
        try:
            yield made
        finally:
            made.close()


class Crosswise:
    """Works that count two series up in opposite orders, and stand in each other's way the first time."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._meet, self._counting = threading.Barrier(2), threading.Lock()
        self.tries = 0

    def __call__(self, first: str, second: str) -> None:
        with self._counting:
            self.tries += 1
            is_first = self.tries <= 2
        with self._database.write() as tx:
            next_number(tx, first)
            if is_first:
                self._meet.wait(30)
            next_number(tx, second)

    def numbers(self) -> list[int]:
        """How far each series was counted."""
        with self._database.read() as tx:
            return list(tx.execute(text("SELECT value FROM counters ORDER BY name")).scalars())


def at_once(*works: Callable[[], Any]) -> list[Any]:
    with ThreadPoolExecutor(len(works)) as pool:
        return [done.result() for done in [pool.submit(work) for work in works]]


def test_who_was_ended_is_done_again(database: Database) -> None:
    work = Crosswise(database)
    at_once(lambda: until_done(partial(work, "a", "b")), lambda: until_done(partial(work, "b", "a")))
    assert work.tries >= 3  # who is done again may be in the other's way again
    assert work.numbers() == [2, 2]


def test_users_hear_nothing_of_it(database: Database) -> None:
    work = Crosswise(database)
    orders = [("a", "b"), ("b", "a")]
    routes = [Route("POST", "/count", lambda _: work(*orders[work.tries % 2]), status=202, auth=False)]
    service = Service("compute", mount="/compute", prefix="/v2.1", style=COMPUTE, routes=routes)
    rim = Rim([service], authenticator=FakeAuthenticator({}), policy=Policy([]))

    def ask() -> int:
        with client(rim) as asking:
            return asking.post("/compute/v2.1/count").status_code

    assert at_once(ask, ask) == [202, 202]
    assert work.numbers() == [2, 2]


def test_what_has_committed_something_is_not_done_twice(database: Database) -> None:
    tries = []

    def half() -> None:
        tries.append("try")
        with database.write() as tx:
            next_number(tx, "a")
        raise TransactionConflict("deadlock detected")

    with pytest.raises(TransactionConflict):
        until_done(half)
    assert tries == ["try"]


def test_it_is_not_done_for_ever() -> None:
    tries = []

    def never() -> None:
        tries.append("try")
        raise TransactionConflict("deadlock detected")

    with pytest.raises(TransactionConflict):
        until_done(never)
    assert len(tries) == TRIES


def test_a_saga_goes_on_in_the_same_turn(database: Database, tmp_path: Path) -> None:
    world = World(database, tmp_path)
    server_id = world.boot()
    left = [TransactionConflict("deadlock detected")] * 3

    def overtaken(_saga: Saga, _event: JournalEvent, when: str) -> None:
        if when == "before" and left:
            raise left.pop()

    world.on_journal = overtaken
    world.runner.run_due()
    assert not left
    assert world.server(server_id).host is not None
    world.on_journal = lambda *_: None
    world.settle(30)
    assert status_of(world.server(server_id)).status == "ACTIVE"
