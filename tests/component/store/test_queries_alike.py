"""
Every named query gives the same answer, or the same refusal, on SQLite and PostgreSQL, and writes the same.

The list is made from the modules of store/queries, and what each is asked from its signature: a new query is in it by itself, or
fails here until somebody says what it is to be asked (`alike/cases.py`). PostgreSQL's database has the collation that people
like, not the one that is like SQLite's.
"""

from __future__ import annotations

import contextlib
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event, select

from kilonova.domain.clock import Ids
from kilonova.store.database import Database, Tx
from kilonova.store.tables import metadata
from tests import databases
from tests.component.store.alike.cases import calls, every_query
from tests.component.store.alike.seed import seed

QUERIES = every_query()
del QUERIES["events.number_new"]  # SQLite's events are in order as they are: test_events.py
UNORDERED = {
    "audit.addresses_without_port", "audit.allocations_without_server", "audit.hosts_that_do_not_add_up",
    "audit.ports_without_server", "audit.stuck_sagas", "audit.stuck_servers", "fleet.hosts_of_servers", "host_word.foreign",
    "host_word.never_there", "network_changes.waiting",
}  # fmt: skip
"""What gives a list in no order: for the house itself, which counts it or goes through it."""
Outcome = tuple[str, Any]


class _Undo(Exception):
    """What was written is taken back."""


class Engine:
    """A database, and which tables a query writes."""

    def __init__(self, db: Database) -> None:
        self.db = db
        self._written: set[str] = set()
        event.listen(db.engine, "before_cursor_execute", self._look)

    def _look(self, _connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        assert " LIKE " not in statement, "it ignores case on one engine: see store/queries/text.py"
        words = statement.split(None, 3)
        if words[0] in ("INSERT", "UPDATE", "DELETE"):
            self._written.add(words[1 if words[0] == "UPDATE" else 2].strip('"'))

    def ask(self, name: str, arguments: tuple[tuple[Any, ...], dict[str, Any]]) -> tuple[Outcome, dict[str, Any]]:
        """What comes of it, and what is in the tables that it wrote. Nothing of it is kept."""
        self._written.clear()
        outcome: Outcome = ("gave", None)
        written: dict[str, Any] = {}
        with contextlib.suppress(_Undo), self.db.write() as tx:
            try:
                by_name = {key: Ids(random.Random(1)) if one is Ids else one for key, one in arguments[1].items()}
                given = QUERIES[name](tx, *arguments[0], **by_name)
                given = list(given) if isinstance(given, Iterator) else given
                outcome = ("gave", sorted(given, key=repr) if name in UNORDERED else given)
            except Exception as problem:
                outcome = ("refused", type(problem).__name__)
                raise _Undo from problem
            written = {name: _rows(tx, name) for name in sorted(self._written) if name in metadata.tables}
            raise _Undo
        return outcome, written


def _rows(tx: Tx, name: str) -> list[Any]:
    """A table's rows in no order; a serial number is an engine's own affair."""
    table = metadata.tables[name]
    columns = [one for one in table.columns if one is not table.autoincrement_column]
    return sorted(map(repr, map(tuple, tx.execute(select(*columns)))))


@pytest.fixture(scope="module")
def both(
    postgres: databases.Cluster | None, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Engine, Engine]]:
    if postgres is None:
        pytest.skip("PostgreSQL is not installed: apt-get install postgresql")
    folder: Path = tmp_path_factory.mktemp("alike")
    with databases.sqlite(folder) as sqlite, postgres.english_database() as url:
        other = Database(url)
        try:
            counts = seed(sqlite, other)
            assert [name for name, count in counts.items() if not count] == []
            yield Engine(sqlite), Engine(other)
        finally:
            other.close()


@pytest.mark.parametrize("name", QUERIES)
def test_a_query_is_the_same_on_both_engines(both: tuple[Engine, Engine], name: str) -> None:
    sqlite, postgres = both
    answered = 0
    for arguments in calls(name, QUERIES[name]):
        first, second = sqlite.ask(name, arguments), postgres.ask(name, arguments)
        assert second == first, arguments
        answered += first[0][0] == "gave"
    assert answered, "whatever it was asked, it refused: say what it is to be asked in alike/cases.py"
