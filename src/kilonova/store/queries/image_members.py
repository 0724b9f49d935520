"""The projects that shared images are shown to."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import delete, func, insert, select, update
from sqlalchemy.exc import IntegrityError

from kilonova.domain.errors import Conflict, Missing
from kilonova.domain.image import ImageMember
from kilonova.store.database import Tx
from kilonova.store.queries.text import in_order
from kilonova.store.tables.image import image_members


def add(tx: Tx, member: ImageMember) -> None:
    """Write a new member. Raises Conflict where the project is one already."""
    try:
        tx.execute(insert(image_members), msgspec.structs.asdict(member))
    except IntegrityError as taken:
        raise Conflict(f"The project {member.member} is a member of the image {member.image_id} already.") from taken


def get(tx: Tx, image_id: str, member: str) -> ImageMember:
    """One member. Raises Missing."""
    row = tx.execute(select(image_members).where(_named(image_id, member))).first()
    if row is None:
        raise Missing("Image member", member[:64])
    return _member(row)


def of_image(tx: Tx, image_id: str, only: str | None = None) -> list[ImageMember]:
    """All members of an image, oldest first; `only` one project's own entry, where it is given."""
    query = select(image_members).where(image_members.c.image_id == image_id)
    if only is not None:
        query = query.where(image_members.c.member == only)
    return [
        _member(row) for row in tx.execute(query.order_by(image_members.c.created_at, in_order(image_members.c.member)))
    ]


def count(tx: Tx, image_id: str) -> int:
    """How many an image has."""
    return int(tx.execute(select(func.count()).where(image_members.c.image_id == image_id)).scalar_one())


def set_status(tx: Tx, image_id: str, member: str, status: str, now: datetime) -> None:
    """Write what a member thinks of it."""
    tx.execute(update(image_members).where(_named(image_id, member)).values(status=status, updated_at=now))


def remove(tx: Tx, image_id: str, member: str) -> None:
    """Show the image to a project no more. Raises Missing."""
    if tx.execute(delete(image_members).where(_named(image_id, member))).rowcount == 0:
        raise Missing("Image member", member[:64])


def _named(image_id: str, member: str) -> Any:
    return (image_members.c.image_id == image_id) & (image_members.c.member == member)


def _member(row: Any) -> ImageMember:
    return ImageMember(**row._mapping)  # noqa: SLF001 - SQLAlchemy's documented row accessor
