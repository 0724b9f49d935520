"""Both ways to a schema lead to the same one: made whole from the tables, or step by step."""

from __future__ import annotations

import pytest
from alembic.script import ScriptDirectory
from sqlalchemy import inspect, text

from kilonova.domain.errors import Conflict
from kilonova.store.database import Database
from kilonova.store.schema import HEAD, alembic_config, current_version, ensure_schema, upgrade
from kilonova.store.tables import metadata


def shape(db: Database) -> dict[str, object]:
    """All there is to know of a schema: columns, keys, checks, and the definitions of indexes."""
    definitions = (
        "SELECT tbl_name, name, sql FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL ORDER BY name"
        if db.is_sqlite
        else "SELECT tablename, indexname, indexdef FROM pg_indexes WHERE schemaname = 'public' ORDER BY indexname"
    )
    with db.engine.connect() as connection:
        look = inspect(connection)
        found: dict[str, object] = {
            table: (
                [(c["name"], str(c["type"]), c["nullable"], c["default"]) for c in look.get_columns(table)],
                look.get_pk_constraint(table),
                sorted((str(c["name"]), str(c["sqltext"])) for c in look.get_check_constraints(table)),
                sorted((str(u["name"]), str(u["column_names"])) for u in look.get_unique_constraints(table)),
                sorted((str(k["constrained_columns"]), k["referred_table"], str(k.get("options")))
                       for k in look.get_foreign_keys(table)),
            )
            for table in sorted(look.get_table_names())
            if table != "alembic_version"
        }  # fmt: skip
        found["indexes"] = [
            (table, name, " ".join(str(sql).split()))
            for table, name, sql in connection.execute(text(definitions))
            if table != "alembic_version"
        ]
    return found


# An index over expressions is not reflected by the inspector; its definition is read from the catalog beside it.
@pytest.mark.filterwarnings("ignore:Skipped unsupported reflection")
def test_the_steps_make_what_the_tables_say(empty: Database) -> None:
    upgrade(empty)
    assert current_version(empty) == HEAD
    by_steps = shape(empty)
    with empty.engine.begin() as connection:
        metadata.drop_all(connection)
        connection.execute(text("DROP TABLE alembic_version"))
    ensure_schema(empty)
    assert current_version(empty) == HEAD
    whole = shape(empty)
    assert whole.keys() == by_steps.keys()
    for table, expected in whole.items():
        assert by_steps[table] == expected, table


def test_head_is_the_newest_step(empty: Database) -> None:
    with empty.engine.connect() as connection:
        assert ScriptDirectory.from_config(alembic_config(connection)).get_current_head() == HEAD


def test_a_second_time_changes_nothing_and_a_newer_database_is_refused(empty: Database) -> None:
    ensure_schema(empty)
    ensure_schema(empty)
    with empty.engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(Conflict, match="newer release"):
        ensure_schema(empty)
