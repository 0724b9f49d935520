"""A name is one process' at a time, and free the moment that process is no more, however it ended."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text
from structlog.testing import capture_logs

from kilonova.store import name_lock
from kilonova.store.database import Database
from kilonova.store.name_lock import NameLock
from tests import databases
from tests.waiting import wait_until

SOON_S = 15.0
HOLDER = """
import sys
from kilonova.store import name_lock
from kilonova.store.database import Database
name_lock.KEEP_S = 0.1
held = name_lock.NameLock(Database(sys.argv[1]), "conductor", "rack-1")
held.start()
print(held.problem() or "held", flush=True)
sys.stdin.read()
"""
Make = Callable[..., NameLock]


@pytest.fixture
def url(postgres: databases.Cluster | None) -> Iterator[str]:
    if postgres is None:
        pytest.skip("PostgreSQL is not installed: apt-get install postgresql")
    with postgres.empty_database() as found:
        yield found


@pytest.fixture
def make(url: str) -> Iterator[Make]:
    """Makes locks, each as in a process of its own."""
    made: list[NameLock] = []

    def one(name: str = "rack-1", kind: str = "conductor") -> NameLock:
        made.append(NameLock(Database(url), kind, name))
        return made[-1]

    yield one
    for each in made:
        each.close()


@pytest.fixture
def holder(url: str) -> Iterator[subprocess.Popen[str]]:
    """Another process, which has the name."""
    command = [sys.executable, "-c", HOLDER, url]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        yield process
        process.kill()


def break_off(url: str) -> None:
    """End every other session of a database."""
    engine = create_engine(url.replace("postgresql://", "postgresql+psycopg://"), isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        sessions = "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
        connection.execute(text(f"{sessions} WHERE datname = current_database() AND pid <> pg_backend_pid()"))
    engine.dispose()


def holds(one: NameLock) -> bool:
    """Whether it does, without a look of its own."""
    with one._looking:
        return one._connection is not None


def test_a_name_is_held_by_one_and_by_the_next_when_that_one_ends(make: Make) -> None:
    first, second = make(), make()
    assert (first.problem(), first.problem()) == ("", "")
    said = second.problem()
    for word in ("another conductor named rack-1", "the database's own machine", "KILONOVA_CONDUCTOR_NAME"):
        assert word in said
    assert second.problem() == said  # so that it is logged once
    first.close()
    assert wait_until(lambda: second.problem() == "", "the name", SOON_S)
    assert first.problem() == "it is let go of"
    assert second.problem() == ""


def test_other_names_and_kinds_are_others(make: Make) -> None:
    assert [make().problem(), make("rack-2").problem(), make(kind="scheduler").problem()] == ["", "", ""]


def test_a_name_is_free_the_moment_its_process_is_killed(make: Make, holder: subprocess.Popen[str]) -> None:
    mine = make()
    assert "another conductor" in mine.problem()
    holder.kill()
    holder.wait()
    wait_until(lambda: mine.problem() == "", "the name", SOON_S)


def test_one_that_is_silent_for_long_is_not_believed_in_until_it_speaks_again(
    make: Make, holder: subprocess.Popen[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    mine = make()
    monkeypatch.setattr(name_lock, "SILENT_S", 3.0)
    assert "another conductor" in mine.problem()
    os.kill(holder.pid, signal.SIGSTOP)
    wait_until(lambda: mine.problem() == "", "the holder taken for dead", SOON_S)
    os.kill(holder.pid, signal.SIGCONT)
    wait_until(lambda: "another conductor" in mine.problem(), "the holder back", SOON_S)
    holder.kill()
    wait_until(lambda: mine.problem() == "", "the name", SOON_S)


def test_a_broken_connection_is_made_again_unless_another_was_quicker(make: Make, url: str) -> None:
    first, second = make(), make()
    assert first.problem() == ""
    break_off(url)
    assert "the database does not answer" in first.problem()
    assert first.problem() == ""
    break_off(url)
    assert second.problem() == ""
    assert "does not answer" in first.problem()
    assert "another conductor" in first.problem()


def test_who_keeps_a_name_takes_it_again_by_itself_and_says_when_it_cannot(
    make: Make, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(name_lock, "KEEP_S", 0.05)
    first, second = make(), make()
    with capture_logs() as said:
        assert first.problem() == ""
        first.start()
        break_off(url)
        wait_until(lambda: said and holds(first), "the name taken again", SOON_S)  # before the second may ask for it
        assert "another conductor" in second.problem()
        second.start()
        wait_until(lambda: any("another conductor" in line["problem"] for line in said), "it said so", SOON_S)
        first.close()
        wait_until(lambda: second.problem() == "", "the name", SOON_S)
        second.close()
    assert {line["log_level"] for line in said} == {"error"}
    assert sum("another conductor" in line["problem"] for line in said) == 1


def test_a_database_that_is_away_leaves_the_name_open(make: Make, postgres: databases.Cluster) -> None:
    mine = make()
    assert mine.problem() == ""
    postgres.go_away()
    try:
        assert "the database does not answer" in mine.problem()
        assert "the database does not answer" in mine.problem()
    finally:
        postgres.come_back()
    assert mine.problem() == ""


def test_a_sqlite_has_no_names(tmp_path: Path) -> None:
    for _ in range(2):
        one = NameLock(Database(f"sqlite:///{tmp_path / 'one.db'}"), "conductor", "rack-1")
        assert one.problem() == ""
        one.close()
