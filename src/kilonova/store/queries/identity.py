"""
The nouns of identity: one row, one struct, and the same few verbs for each.

What is particular (who has which roles, what a token stands on, keys) has its own named queries in the modules beside this
one.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, TypeVar

import msgspec
from sqlalchemy import ColumnElement, RowMapping, Table, delete, func, insert, literal, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import IntegrityError

from kilonova.domain.errors import Conflict, Missing
from kilonova.domain.identity import (
    ApplicationCredential,
    Domain,
    Endpoint,
    Group,
    Project,
    Region,
    Role,
    Service,
    User,
)
from kilonova.store.database import Tx
from kilonova.store.queries import keyset
from kilonova.store.queries.keyset import Keyset
from kilonova.store.queries.text import contains, fold, folded
from kilonova.store.tables import identity as tables

T = TypeVar("T", bound=msgspec.Struct)

_TABLES: dict[type[msgspec.Struct], Table] = {
    Domain: tables.domains,
    Project: tables.projects,
    User: tables.users,
    Group: tables.groups,
    Role: tables.roles,
    ApplicationCredential: tables.application_credentials,
    Region: tables.regions,
    Service: tables.services,
    Endpoint: tables.endpoints,
}
_WORDS: dict[type[msgspec.Struct], str] = {ApplicationCredential: "application credential"}


class Listing(msgspec.Struct, frozen=True, kw_only=True):
    """
    What a list asks for.

    `equal` compares columns; `name` holds pairs of `contains`, `startswith` or `endswith` (with an `i` before it: in any case)
    and a text; `where` is a query module's own condition. `only` (these ids) and `within` (columns with these
    values) say what the caller may see at all, a marker included.
    """

    equal: Mapping[str, Any] = {}
    name: tuple[tuple[str, str], ...] = ()
    only: tuple[str, ...] | None = None
    within: Mapping[str, Any] = {}
    where: tuple[Any, ...] = ()
    marker: str | None = None
    limit: int | None = None


def word(kind: type[msgspec.Struct]) -> str:
    """How messages call a kind of thing."""
    return _WORDS.get(kind) or kind.__name__.lower()


def find(tx: Tx, kind: type[T], ident: str | None, *, lock: bool = False) -> T | None:
    """The thing of this id, or None. `lock` keeps others from changing it until this transaction ends."""
    if ident is None:
        return None
    table = _TABLES[kind]
    query = select(table).where(table.c.id == ident)
    row = tx.execute(query.with_for_update() if lock else query).mappings().first()
    return None if row is None else _thing(kind, row)


def get(tx: Tx, kind: type[T], ident: str, *, lock: bool = False) -> T:
    """The thing of this id; raises Missing."""
    found = find(tx, kind, ident, lock=lock)
    if found is None:
        raise Missing(word(kind).capitalize(), ident[:64])
    return found


def named(tx: Tx, kind: type[T], name: str, **within: str | None) -> T | None:
    """The thing of this name, `within` its domain (`domain_id=`) or user (`user_id=`), or None."""
    table = _TABLES[kind]
    here = (table.c[key] == value for key, value in within.items())
    row = tx.execute(select(table).where(table.c.name == name, *here)).mappings().first()
    return None if row is None else _thing(kind, row)


def many(tx: Tx, kind: type[T], idents: Iterable[str]) -> dict[str, T]:
    """Those of these ids that exist, by id."""
    table = _TABLES[kind]
    rows = tx.execute(select(table).where(table.c.id.in_(set(idents)))).mappings()
    return {row["id"]: _thing(kind, row) for row in rows}


def listed(tx: Tx, kind: type[T], listing: Listing) -> list[T]:
    """A stretch of the list, ordered by name where there are names, then by id. Raises Rejected for an unknown marker."""
    table = _TABLES[kind]
    if listing.only == ():
        return []
    seen = select(table).where(*_scope(table, listing))
    query = seen.where(*_conditions(table, listing))
    keys = {name: table.c[name] for name in ("name", "id") if name in table.c}
    page = Keyset(limit=listing.limit, marker=listing.marker, sort=tuple((name, "asc") for name in keys))
    return [_thing(kind, row) for row in tx.execute(keyset.page(tx, query, page, keys, seen)).mappings()]


def count(tx: Tx, kind: type[msgspec.Struct], **within: str) -> int:
    """How many there are of a kind, of one user or project (`user_id=`)."""
    table = _TABLES[kind]
    here = (table.c[key] == value for key, value in within.items())
    return int(tx.execute(select(func.count()).select_from(table).where(*here)).scalar_one())


def add(tx: Tx, thing: msgspec.Struct) -> None:
    """Write a new thing. Raises Conflict where its name is taken."""
    with _Unique(thing):
        tx.execute(insert(_TABLES[type(thing)]), msgspec.structs.asdict(thing))


def add_once(tx: Tx, table: Table, row: Mapping[str, Any]) -> None:
    """Write a row of a table that only says yes or no; one that is there already is as good."""
    dialect = postgresql if tx.connection.dialect.name == "postgresql" else sqlite
    try:
        tx.execute(dialect.insert(table).on_conflict_do_nothing(), row)
    except IntegrityError as problem:
        raise Conflict("Something this refers to was deleted at the same time; look at it again.") from problem


def change(tx: Tx, kind: type[T], ident: str, values: Mapping[str, Any]) -> T:
    """Set these columns, and those only; gives the thing as it is now. Raises Missing, and Conflict where a name is taken."""
    if not values:
        return get(tx, kind, ident)
    table = _TABLES[kind]
    with _Unique(kind):
        row = (
            tx.execute(update(table).where(table.c.id == ident).values(**values).returning(*table.c)).mappings().first()
        )
    if row is None:
        raise Missing(word(kind).capitalize(), ident[:64])
    return _thing(kind, row)


def remove(tx: Tx, kind: type[msgspec.Struct], ident: str) -> None:
    """Delete the thing and what hangs on it. Raises Missing, and Conflict where something stands on it that must go first."""
    table = _TABLES[kind]
    try:
        gone = tx.execute(delete(table).where(table.c.id == ident)).rowcount
    except IntegrityError as problem:
        raise Conflict(f"The {word(kind)} {ident} still has things in it; delete those first.") from problem
    if not gone:
        raise Missing(word(kind).capitalize(), ident[:64])


class _Unique:
    """Turns a broken constraint into a Conflict that says which name."""

    def __init__(self, thing: msgspec.Struct | type[msgspec.Struct]) -> None:
        self._kind = thing if isinstance(thing, type) else type(thing)
        self._name = getattr(thing, "name", getattr(thing, "id", "")) if isinstance(thing, msgspec.Struct) else ""

    def __enter__(self) -> None:
        """Nothing to take."""

    def __exit__(self, _type: object, problem: BaseException | None, _trace: object) -> None:
        if isinstance(problem, IntegrityError):
            called = f" called {self._name!r}" if self._name else " of that name"
            raise Conflict(
                f"Conflict occurred attempting to store {word(self._kind)}: there is one{called} already."
            ) from problem


def _thing(kind: type[T], row: RowMapping) -> T:
    return kind(**row)


def _scope(table: Table, listing: Listing) -> list[ColumnElement[bool]]:
    seen: list[ColumnElement[bool]] = [table.c[key] == value for key, value in listing.within.items()]
    return seen if listing.only is None else [*seen, table.c.id.in_(listing.only)]


def _conditions(table: Table, listing: Listing) -> list[ColumnElement[bool]]:
    found: list[ColumnElement[bool]] = [table.c[key] == value for key, value in listing.equal.items()]
    found += [text_matches(table.c.name, how, text) for how, text in listing.name]
    return [*found, *listing.where]


def text_matches(column: ColumnElement[str], how: str, text: str) -> ColumnElement[bool]:
    """Whether a text column contains, starts or ends with a text; `how` with an `i` before it ignores case."""
    subject: ColumnElement[Any] = column
    if how.startswith("i"):
        subject, how, text = folded(column), how[1:], fold(text)
    if how == "contains":
        return contains(subject, text)
    part = func.substr(subject, 1, len(text)) if how == "startswith" else _tail(subject, len(text))
    return part == literal(text)


def _tail(subject: ColumnElement[Any], length: int) -> ColumnElement[str]:
    return func.substr(subject, func.length(subject) - length + 1)
