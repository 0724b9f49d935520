"""One clock for all processes, however wrong their machines' are."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from kilonova.domain.clock import Ids, SystemClock
from kilonova.domain.host import HostDefaults, is_alive
from kilonova.store.clock import DatabaseClock
from kilonova.store.database import Database
from kilonova.store.queries import hosts
from tests import databases
from tests.unit.scheduler.building import facts

WRONG = [timedelta(hours=1), timedelta(hours=-1), timedelta(days=400)]


class WrongClock(SystemClock):
    """A machine's clock that is off."""

    def __init__(self, off: timedelta) -> None:
        super().__init__()
        self.off = off

    def now(self) -> datetime:
        return super().now() + self.off


@pytest.fixture
def server(postgres: databases.Cluster | None) -> Iterator[Database]:
    """A database that is another process, with a clock of its own."""
    if postgres is None:
        pytest.skip("PostgreSQL is not installed: apt-get install postgresql")
    with postgres.database() as url:
        made = Database(url)
        yield made
        made.close()


@pytest.fixture
def clock(server: Database) -> Callable[[timedelta], DatabaseClock]:
    return lambda off: DatabaseClock(server, WrongClock(off))


@pytest.mark.parametrize("off", WRONG)
def test_a_process_goes_by_the_databases_clock(clock: Callable[[timedelta], DatabaseClock], off: timedelta) -> None:
    made = clock(off)
    assert abs(made.now() - SystemClock().now() - off) < timedelta(seconds=5)  # until it has looked
    made.start()
    assert abs(made.now() - SystemClock().now()) < timedelta(seconds=5)
    made.stop()


def test_a_machine_whose_clock_is_set_right_is_followed(server: Database) -> None:
    base = WrongClock(timedelta(hours=1))
    made = DatabaseClock(server, base)
    made.measure()
    base.off = timedelta(0)
    made.measure()
    assert abs(made.now() - SystemClock().now()) < timedelta(seconds=5)


@pytest.mark.parametrize("off", WRONG)
def test_two_processes_agree_on_who_is_alive(
    server: Database, clock: Callable[[timedelta], DatabaseClock], off: timedelta
) -> None:
    conductor, api = clock(off), clock(-off)
    for one in (conductor, api):
        one.measure()
    with server.write() as tx:
        hosts.register(tx, "one", "b", facts(), defaults=HostDefaults(), ids=Ids(), now=conductor.now())
        hosts.seen(tx, ["one"], conductor.now())
    with server.read() as tx:
        found = hosts.by_name(tx, "one")
    assert found is not None
    assert is_alive(found.seen_at, api.now(), forced_down=False)
    assert not is_alive(found.seen_at, api.now() + timedelta(seconds=66), forced_down=False)


def test_a_database_that_is_away_changes_nothing() -> None:
    made = DatabaseClock(Database("postgresql://nobody@127.0.0.1:1/nothing"), WrongClock(timedelta(hours=1)))
    before = made.now()
    made.measure()
    assert timedelta(0) <= made.now() - before < timedelta(minutes=1)


def test_sqlite_is_in_the_process_and_has_the_process_clock(tmp_path: Path) -> None:
    with databases.sqlite(tmp_path) as database:
        made = DatabaseClock(database, WrongClock(timedelta(hours=1)))
        made.start()
        assert made.now() - SystemClock().now() > timedelta(minutes=59)
        made.stop()
