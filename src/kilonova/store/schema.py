"""
Bringing a database's schema up to date.

An empty database is made whole from the tables at once, and marked with the newest step; an older one goes through the steps that
it lacks. (A test holds that both ways lead to the same schema.) One that is up to date, which is nearly every start, costs one
SELECT and does not load alembic.

In a fleet nobody upgrades by starting: `kilonova db upgrade` does. Several at once queue behind a lock in the database. Steps are
such that the previous release's code goes on working on their result, so a process serves on a schema that is newer than its own.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sqlalchemy import Connection, inspect, text

from kilonova.domain.errors import Conflict
from kilonova.store.database import Database
from kilonova.store.space import ensure_gives_back
from kilonova.store.tables import metadata

HEAD = "0022"
_VERSION_TABLE = "alembic_version"
_LOCK = 0x6B696C6F  # any number, as long as nobody else takes it


def ensure_schema(db: Database) -> None:
    """Make or upgrade the tables. Raises Conflict when the database is of a newer release."""
    current = current_version(db)
    if current is None:
        _make(db)
    elif current != HEAD:
        upgrade(db)
    ensure_gives_back(db)


def current_version(db: Database) -> str | None:
    """The newest step a database has gone through; None when it is empty. Raises DatabaseAway."""
    with db.read() as tx:
        return _version(tx.connection)


def what_lacks(db: Database) -> str:
    """Why this release cannot work on the database, in words; "" when it can. Raises DatabaseAway."""
    current = current_version(db)
    if current is None:
        return "it has no tables yet: kilonova db upgrade"
    if int(current) < int(HEAD):
        return f"its schema is {current}, and this release needs {HEAD}: kilonova db upgrade"
    return ""


def lock(connection: Connection, number: int) -> None:
    """Be alone among those who take this lock until the transaction ends. SQLite has one writer in any case."""
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:number)"), {"number": number})


def _version(connection: Connection) -> str | None:
    if not inspect(connection).has_table(_VERSION_TABLE):
        return None
    found = connection.execute(text(f"SELECT version_num FROM {_VERSION_TABLE}")).scalar()  # noqa: S608 - a constant
    return None if found is None else str(found)


def upgrade(db: Database, to: str = "head") -> None:
    """Go through the steps up to `to`."""
    from alembic import command  # noqa: PLC0415 - a second of imports that an up-to-date start does not pay
    from alembic.util import CommandError  # noqa: PLC0415

    with db.engine.begin() as connection:
        lock(connection, _LOCK)
        try:
            command.upgrade(alembic_config(connection), to)
        except CommandError as error:
            raise Conflict(
                "The database was made by a newer release of Kilonova.", next_step="Install that release, or newer."
            ) from error


def alembic_config(connection: Any) -> Any:
    """Alembic's configuration for these steps, on this connection."""
    from alembic.config import Config  # noqa: PLC0415

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    return config


def _make(db: Database) -> None:
    with db.engine.begin() as connection:
        lock(connection, _LOCK)
        if _version(connection) is not None:
            return  # another made it while we waited
        metadata.create_all(connection)
        connection.execute(text(f"CREATE TABLE {_VERSION_TABLE} (version_num VARCHAR(32) NOT NULL PRIMARY KEY)"))
        connection.execute(text(f"INSERT INTO {_VERSION_TABLE} VALUES (:head)"), {"head": HEAD})  # noqa: S608
