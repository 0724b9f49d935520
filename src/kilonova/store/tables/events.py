"""
The outbox of events: what became of each server, in order, written in the transaction that changed it.

Triggers write it, so no change can be without its event: not one by a process of another release, nor one by hand. A row has what
was and what is, of the columns in `SHOWN`; a change of any column in `WATCHED` makes a row.

**Order.** Readers go by a cursor, so no event may appear below one that was given out. SQLite has one writer: ids are in the
order of commits. In PostgreSQL a transaction with a lower id may commit later, so ids are no order: events are numbered after
their commit, by whoever reads (`queries/events.py`), one at a time.

A batch migration of `servers` makes SQLite drop the triggers with the old table: make them again (`create_triggers`).
"""

from __future__ import annotations

from sqlalchemy import DDL, BigInteger, Column, Index, Integer, Table, Text, event

from kilonova.store.tables.base import Name, Uuid, metadata
from kilonova.store.tables.compute import servers
from kilonova.store.types import Instant

SHOWN = ("name", "lifecycle", "intent", "power_state", "saga", "saga_step")
WATCHED = (*SHOWN, "host", "description", "hostname", "metadata", "tags", "locked", "flavor", "image_id")

events = Table(
    "events", metadata,
    Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True),
    Column("number", BigInteger, unique=True),  # on PostgreSQL: the order that readers go by
    Column("at", Instant, nullable=False),
    Column("server_id", Uuid, nullable=False),
    Column("project_id", Name, nullable=False),
    Column("was", Text),
    Column("now", Text, nullable=False),
    Index("ix_events_at", "at"),
    sqlite_autoincrement=True,
)  # fmt: skip
Index(
    "ix_events_unnumbered",
    events.c.id,
    postgresql_where=events.c.number.is_(None),
    sqlite_where=events.c.number.is_(None),
)


_SQLITE = """
CREATE TRIGGER servers_made AFTER INSERT ON servers BEGIN
    INSERT INTO events (at, server_id, project_id, now)
    VALUES (NEW.created_at, NEW.id, NEW.project_id, json_object({new}));
END
--
CREATE TRIGGER servers_changed AFTER UPDATE ON servers WHEN {changed} BEGIN
    INSERT INTO events (at, server_id, project_id, was, now)
    VALUES (NEW.updated_at, NEW.id, NEW.project_id, json_object({old}), json_object({new}));
END
"""
_POSTGRESQL = """
CREATE FUNCTION servers_made() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    INSERT INTO events (at, server_id, project_id, now)
    VALUES (NEW.created_at, NEW.id, NEW.project_id, json_build_object({new})::text);
    RETURN NULL;
END $$
--
CREATE FUNCTION servers_changed() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    INSERT INTO events (at, server_id, project_id, was, now)
    VALUES (NEW.updated_at, NEW.id, NEW.project_id, json_build_object({old})::text, json_build_object({new})::text);
    RETURN NULL;
END $$
--
CREATE TRIGGER servers_made AFTER INSERT ON servers FOR EACH ROW EXECUTE FUNCTION servers_made()
--
CREATE TRIGGER servers_changed AFTER UPDATE ON servers FOR EACH ROW WHEN ({changed}) EXECUTE FUNCTION servers_changed()
"""


def create_triggers(dialect: str) -> list[str]:
    """The statements that make them, for `sqlite` or `postgresql`."""
    template, differs = (_SQLITE, "IS NOT") if dialect == "sqlite" else (_POSTGRESQL, "IS DISTINCT FROM")
    changed = " OR ".join(f"OLD.{one} {differs} NEW.{one}" for one in WATCHED)
    new, old = (", ".join(f"'{one}', {row}.{one}" for one in SHOWN) for row in ("NEW", "OLD"))
    return [one.strip() for one in template.format(changed=changed, new=new, old=old).split("\n--\n")]


for _dialect in ("sqlite", "postgresql"):
    for _statement in create_triggers(_dialect):
        _made = DDL(_statement.replace("%", "%%"))  # type: ignore[no-untyped-call]
        event.listen(servers, "after_create", _made.execute_if(dialect=_dialect))
for _name in ("servers_made", "servers_changed"):
    _gone = DDL(f"DROP FUNCTION IF EXISTS {_name}()")  # type: ignore[no-untyped-call]
    event.listen(servers, "after_drop", _gone.execute_if(dialect="postgresql"))
