"""Both engines find the same by the same expression, and neither takes its time."""

from __future__ import annotations

import itertools
import random
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import Text, column, func, insert, select, text

from kilonova.domain.regex import portable
from kilonova.store.database import Database
from kilonova.store.queries.text import matches
from kilonova.store.tables.placement import resource_classes
from tests import databases

PIECES = (
    "a",
    "b",
    "-",
    "]",
    "[",
    "[^",
    "(",
    ")",
    "|",
    "*",
    "+",
    "?",
    ".",
    "^",
    "$",
    r"\d",
    r"\w",
    r"\s",
    r"\.",
    "a-c",
    "\\",
    "1",
    "é",
)
WORST_NAME = "a" * 254 + "!"
SUBJECTS = (
    "",
    "a",
    "ab",
    "abc-1",
    "1",
    "é",
    "ÉA",
    "a]b",
    "-",
    "a.b",
    "b a",
    "ba\tc",
    "^$",
    "\\",
    "(a)",
    "a" * 254 + "!",
    "[b]",
    "|",
)
WORST = (
    "(a*)*b",
    "(a|a)*b",
    "(a+)+$",
    "(.*)(.*)(.*)x",
    "(((a*)*)*)*b",
    ".*.*.*.*.*.*=",
    "(a?a?a?a?a?)*b",
    "a?" * 100 + "a" * 50,
)


def expressions(count: int) -> list[str]:
    """Expressions of pieces put together at random, those that pass; and the worst there are."""
    dice = random.Random(9)
    made = ("".join(dice.choices(PIECES, k=dice.randint(1, 9))) for _ in itertools.count())
    return [*WORST, *itertools.islice(filter(passes, made), count)]


def passes(one: str) -> bool:
    try:
        portable(one)
    except ValueError:
        return False
    return True


def keep_subjects(db: Database) -> None:
    with db.write() as tx:
        now = datetime.now(UTC)
        tx.execute(insert(resource_classes), [{"name": one, "created_at": now} for one in SUBJECTS])


def found(db: Database, expression: str) -> set[str]:
    name = resource_classes.c.name
    with db.read() as tx:
        return set(tx.execute(select(name).where(matches(name, portable(expression)))).scalars())


def test_sqlite_and_postgresql_find_the_same(postgres: databases.Cluster | None, tmp_path: Path) -> None:
    if postgres is None:
        pytest.skip("PostgreSQL is not installed: apt-get install postgresql")
    with postgres.database() as url, databases.sqlite(tmp_path) as here:
        there = Database(url)
        for db in (here, there):
            keep_subjects(db)
        differing = {
            one: (portable(one), ours, theirs)
            for one in expressions(1000)
            if (ours := found(here, one)) != (theirs := found(there, one))
        }
        there.close()
    assert differing == {}


@pytest.mark.parametrize("expression", WORST)
def test_the_worst_come_back(database: Database, expression: str) -> None:
    """On 2,000 names of 255 letters. PostgreSQL breaks off a statement that takes a minute; SQLite's would hang the test."""
    numbers = "WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c WHERE n < 2000) SELECT n FROM c"
    names = select(text(f"'{WORST_NAME}' AS subject")).select_from(text(f"({numbers}) AS many")).subquery()
    with database.read() as tx:
        if not database.is_sqlite:
            tx.execute(text("SET LOCAL statement_timeout = '60s'"))
        found = select(func.count()).select_from(names).where(matches(column("subject", Text), portable(expression)))
        assert tx.execute(found).scalar_one() in (0, 2000)
