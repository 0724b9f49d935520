"""A database that goes away and comes back: what its users are told, and that nothing of theirs is lost or stuck."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from kilonova.api.framework.errors import COMPUTE, fail, failure_headers
from kilonova.store.away import DatabaseAway
from kilonova.store.database import Database, Tx
from tests import databases
from tests.waiting import wait_until


@pytest.fixture
def away(postgres: databases.Cluster | None) -> Iterator[tuple[databases.Cluster, Database]]:
    if postgres is None:
        pytest.skip("PostgreSQL is not installed: apt-get install postgresql")
    with postgres.database() as url:
        made = Database(url, connections=2)
        try:
            yield postgres, made
        finally:
            made.close()


def ask(tx: Tx) -> int:
    return int(tx.execute(text("SELECT 1")).scalar_one())


def test_it_is_away_and_back_without_a_word_from_us(away: tuple[databases.Cluster, Database]) -> None:
    cluster, database = away
    with database.write() as tx:
        assert ask(tx) == 1
    cluster.go_away()
    try:
        with pytest.raises(DatabaseAway), database.read() as tx:
            ask(tx)
        with pytest.raises(DatabaseAway), database.write() as tx:
            ask(tx)
    finally:
        cluster.come_back()
    with database.write() as tx:
        assert ask(tx) == 1


def test_a_transaction_broken_off_in_its_middle_is_rolled_back_and_its_thread_may_write_again(
    away: tuple[databases.Cluster, Database],
) -> None:
    cluster, database = away
    heard: list[str] = []

    def write_through_a_restart() -> None:
        with database.write() as tx:
            tx.execute(text("CREATE TABLE half (done int)"))
            tx.after_commit(lambda: heard.append("committed"))
            cluster.go_away()
            cluster.come_back()
            ask(tx)

    with pytest.raises(DatabaseAway):
        write_through_a_restart()
    assert heard == []
    with database.write() as tx:
        assert tx.execute(text("SELECT to_regclass('half')")).scalar() is None


def test_a_process_that_stands_still_in_a_transaction_does_not_keep_its_locks(
    postgres: databases.Cluster | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    if postgres is None:
        pytest.skip("PostgreSQL is not installed: apt-get install postgresql")
    monkeypatch.setattr("kilonova.store.database._IDLE_TRANSACTION_MS", 200)
    with postgres.database() as url, closing(Database(url)) as still, closing(Database(url)) as other:

        def stand_still() -> None:
            with still.write() as tx:
                tx.execute(text("LOCK TABLE servers"))
                with other.write() as waiting:
                    waiting.execute(text("SET LOCAL lock_timeout = '20s'"))
                    waiting.execute(text("LOCK TABLE servers"))
                ask(tx)

        with pytest.raises(DatabaseAway):
            stand_still()
        with still.write() as tx:
            assert ask(tx) == 1


def test_too_many_at_once_are_told_to_come_again(
    away: tuple[databases.Cluster, Database], monkeypatch: pytest.MonkeyPatch
) -> None:
    _, database = away
    monkeypatch.setattr(database.engine.pool, "_timeout", 0.05)
    two_are_all = (database.read(), database.read())
    with two_are_all[0], two_are_all[1], pytest.raises(DatabaseAway), database.read():
        pass


def test_a_standby_is_no_server_to_write_to(away: tuple[databases.Cluster, Database]) -> None:
    _, database = away

    def write_to_a_standby() -> None:
        with database.write() as tx:
            tx.execute(text("SET TRANSACTION READ ONLY"))
            tx.execute(text("DELETE FROM sagas"))

    with pytest.raises(DatabaseAway):
        write_to_a_standby()
    with database.write() as tx:
        tx.execute(text("DELETE FROM sagas"))


def test_a_standby_that_is_promoted_takes_over(postgres: databases.Cluster | None) -> None:
    if postgres is None:
        pytest.skip("PostgreSQL is not installed: apt-get install postgresql")
    with databases.cluster(keeps_commits=True) as cluster:
        assert cluster is not None
        url = cluster.create("failover")
        with cluster.standby() as standby:
            database = Database(standby.both(url), connections=2)
            try:
                fail_over(cluster, standby, database)
            finally:
                database.close()
                cluster.come_back()


def fail_over(cluster: databases.Cluster, standby: databases.Standby, database: Database) -> None:
    with database.write() as tx:
        tx.execute(text("CREATE TABLE kept (number int)"))
    wait_until(lambda: has_caught_up(database), "the standby has caught up")
    cluster.go_away()
    with pytest.raises(DatabaseAway), database.write() as tx:
        tx.execute(text("INSERT INTO kept VALUES (1)"))
    standby.promote()
    with database.write() as tx:
        tx.execute(text("INSERT INTO kept VALUES (2)"))
    with database.read() as tx:
        assert list(tx.execute(text("SELECT number FROM kept")).scalars()) == [2]


def has_caught_up(database: Database) -> bool:
    with database.read() as tx:
        behind = text("SELECT count(*) FROM pg_stat_replication WHERE replay_lsn >= pg_current_wal_lsn()")
        return bool(tx.execute(behind).scalar())


def test_a_wrong_statement_stays_our_bug(database: Database) -> None:
    # SQLite calls an unknown table an operational error, as it calls a lock.
    with pytest.raises(Exception, match="no_such_table") as raised, database.read() as tx:
        tx.execute(text("SELECT * FROM no_such_table"))
    assert not isinstance(raised.value, DatabaseAway)
    assert fail(raised.value, COMPUTE, "req-1").status == 500


def test_a_broken_rule_of_the_tables_stays_what_it_is(database: Database) -> None:
    twice = text("INSERT INTO counters (name, value) VALUES ('one', 1)")

    def write_it_twice() -> None:
        with database.write() as tx:
            tx.execute(twice)
            tx.execute(twice)

    with pytest.raises(IntegrityError):
        write_it_twice()


def test_users_are_told_to_try_again_soon() -> None:
    failure = fail(DatabaseAway("connection refused by 10.1.2.3"), COMPUTE, "req-1")
    assert failure.status == 503
    assert "10.1.2.3" not in failure.message
    assert int(failure_headers(failure, "/identity")["Retry-After"]) > 0


def test_sqlite_says_so_when_another_process_holds_it(tmp_path: Path) -> None:
    with databases.sqlite(tmp_path) as ours, databases.sqlite(tmp_path) as theirs:
        with ours.engine.connect() as connection:
            connection.exec_driver_sql("PRAGMA busy_timeout=10")
        ours.engine.pool._max_overflow = 0
        with theirs.write(), pytest.raises(DatabaseAway), ours.write():
            pass
