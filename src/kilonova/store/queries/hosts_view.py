"""Hosts as operators read them: hypervisors, and the availability zones they make up. Claims are in `hosts.py`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import ColumnElement, bindparam, func, select

from kilonova.domain.errors import Missing, Rejected
from kilonova.domain.host import Host
from kilonova.store.database import Tx
from kilonova.store.queries.hosts import host_of
from kilonova.store.queries.keyset import Keyset, page
from kilonova.store.queries.text import contains
from kilonova.store.tables.hosts import hosts

_BY_UUID: Mapping[str, ColumnElement[Any]] = {"id": hosts.c.id}
_BY_NUMBER: Mapping[str, ColumnElement[Any]] = {"id": hosts.c.number}
_NAMED = select(hosts).where(hosts.c.name.in_(bindparam("names", expanding=True)))


def zones(tx: Tx) -> dict[str, str]:
    """The zone of each host, by the host's name."""
    return {row.name: row.zone for row in tx.execute(select(hosts.c.name, hosts.c.zone))}


def page_of(tx: Tx, keyset: Keyset, *, name: str | None = None, by_uuid: bool = True) -> list[Host]:
    """
    A page of hosts, by id, those with `name` in their names. A marker is the UUID or, not `by_uuid`, the number.

    Raises Rejected for an unknown marker.
    """
    if not by_uuid and keyset.marker is not None and not _is_number(keyset.marker):
        raise Rejected(f"marker [{keyset.marker[:255]}] not found")
    keys = _BY_UUID if by_uuid else _BY_NUMBER
    query = select(hosts) if name is None else select(hosts).where(contains(hosts.c.name, name))
    return [host_of(row) for row in tx.execute(page(tx, query, keyset, keys, select(hosts.c.id)))]


def get(tx: Tx, ident: str) -> Host:
    """A host by UUID, or by its number in digits. Raises Missing."""
    here = hosts.c.number == int(ident) if _is_number(ident) else hosts.c.id == ident
    found = tx.execute(select(hosts).where(here)).first()
    if found is None:
        raise Missing("Compute host", ident[:255])
    return host_of(found)


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) < 10


def by_names(tx: Tx, names: set[str]) -> dict[str, Host]:
    """These hosts by name."""
    return {row.name: host_of(row) for row in tx.execute(_NAMED, {"names": list(names)})}


def count(tx: Tx) -> int:
    """How many hosts there are."""
    return int(tx.execute(select(func.count()).select_from(hosts)).scalar_one())
