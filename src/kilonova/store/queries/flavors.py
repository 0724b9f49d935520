"""Flavors, their extra specs, and who may use the private ones."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import ColumnElement, bindparam, delete, exists, false, insert, or_, select, true, update

from kilonova.domain.errors import Missing
from kilonova.domain.flavor import Flavor
from kilonova.store.database import Tx
from kilonova.store.queries.keyset import Keyset, flag, nullable, page
from kilonova.store.queries.text import in_order, matches
from kilonova.store.tables.compute import flavor_access, flavors

SORT_KEYS: Mapping[str, ColumnElement[Any]] = {
    **{
        name: flavors.c[name]
        for name in (
            "id", "name", "vcpus", "ram_mib", "disk_gib", "ephemeral_gib", "swap_mib", "rxtx_factor", "created_at",
        )
    },
    **{name: flag(flavors.c[name]) for name in ("is_public", "disabled")},
    "description": nullable(flavors.c.description),
    "updated_at": nullable(flavors.c.updated_at),
}  # fmt: skip
"""What a list of flavors can be sorted by."""

_GIVEN = exists(select(flavor_access.c.flavor_id).where(
    flavor_access.c.flavor_id == flavors.c.id, flavor_access.c.project_id == bindparam("whose")
))  # fmt: skip
_USABLE = or_(flavors.c.is_public == true(), _GIVEN)
_GET = select(flavors).where(flavors.c.id == bindparam("flavor"))
_GET_USABLE = _GET.where(_USABLE)


class FlavorFilter(msgspec.Struct, frozen=True, kw_only=True):
    """What a list is narrowed to. `is_public` None means public and private; sizes in MiB and GiB are the least wanted."""

    is_public: bool | None = True
    min_ram_mib: int | None = None
    min_disk_gib: int | None = None
    name: str | None = None


def add(tx: Tx, flavor: Flavor) -> None:
    """Write a new flavor."""
    tx.execute(insert(flavors), msgspec.structs.asdict(flavor))


def get(tx: Tx, flavor_id: str, *, project_id: str | None, every: bool = False) -> Flavor:
    """One flavor that a project may use (`every`: whoever may use it). Raises Missing."""
    asked = {"flavor": flavor_id, "whose": project_id or ""}
    row = tx.execute(_GET if every else _GET_USABLE, asked).first()
    if row is None:
        raise Missing("Flavor", flavor_id[:255])
    return _flavor(row)


def is_taken(tx: Tx, *, flavor_id: str, name: str) -> str | None:
    """What of a new flavor another already has: its `ID` or its `name`; None when neither."""
    rows = tx.execute(select(flavors.c.id).where(or_(flavors.c.id == flavor_id, flavors.c.name == name))).all()
    if not rows:
        return None
    return "ID" if any(row.id == flavor_id for row in rows) else "name"


def page_of(tx: Tx, project_id: str | None, wanted: FlavorFilter, keyset: Keyset, *, every: bool) -> list[Flavor]:
    """
    A page of flavors: public ones and those the project was given; with `every`, as `wanted.is_public` says.

    Raises Rejected for an unknown marker.
    """
    query = select(flavors)
    if not every:
        query = query.where(_USABLE).params(whose=project_id or "")
    elif wanted.is_public is not None:
        query = query.where(flavors.c.is_public == wanted.is_public)
    shown = query.where(flavors.c.disabled == false(), *_narrowed(wanted))
    return [_flavor(row) for row in tx.execute(page(tx, shown, keyset, SORT_KEYS, query))]


def describe(tx: Tx, flavor_id: str, description: str | None, now: datetime) -> None:
    """Change a flavor's description."""
    tx.execute(update(flavors).where(flavors.c.id == flavor_id).values(description=description, updated_at=now))


def set_specs(tx: Tx, flavor_id: str, specs: Mapping[str, str], now: datetime) -> None:
    """Replace a flavor's extra specs."""
    tx.execute(update(flavors).where(flavors.c.id == flavor_id).values(extra_specs=dict(specs), updated_at=now))


def remove(tx: Tx, flavor_id: str) -> None:
    """Delete a flavor; servers keep their own copy. Raises Missing."""
    if tx.execute(delete(flavors).where(flavors.c.id == flavor_id)).rowcount == 0:
        raise Missing("Flavor", flavor_id[:255])


def access(tx: Tx, flavor_id: str) -> list[str]:
    """The projects that were given a private flavor."""
    query = select(flavor_access.c.project_id).where(flavor_access.c.flavor_id == flavor_id)
    return [row.project_id for row in tx.execute(query.order_by(in_order(flavor_access.c.project_id)))]


def grant(tx: Tx, flavor_id: str, project_id: str) -> None:
    """Let a project use a private flavor."""
    tx.execute(insert(flavor_access), {"flavor_id": flavor_id, "project_id": project_id})


def revoke(tx: Tx, flavor_id: str, project_id: str) -> bool:
    """Take a private flavor from a project; False when it did not have it."""
    held = (flavor_access.c.flavor_id == flavor_id) & (flavor_access.c.project_id == project_id)
    return bool(tx.execute(delete(flavor_access).where(held)).rowcount)


def any_at_all(tx: Tx) -> bool:
    """Whether there is a flavor."""
    return tx.execute(select(flavors.c.id).limit(1)).first() is not None


def _narrowed(wanted: FlavorFilter) -> list[ColumnElement[bool]]:
    found = []
    if wanted.min_ram_mib is not None:
        found.append(flavors.c.ram_mib >= wanted.min_ram_mib)
    if wanted.min_disk_gib is not None:
        found.append(flavors.c.disk_gib >= wanted.min_disk_gib)
    if wanted.name is not None:
        found.append(matches(flavors.c.name, wanted.name))
    return found


def _flavor(row: Any) -> Flavor:
    return Flavor(**row._mapping)  # noqa: SLF001 - SQLAlchemy's documented row accessor
