"""Image records: who may see them, and the changes of status that uploads and deletions make."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import ColumnElement, Select, bindparam, exists, false, func, insert, or_, select, true, update
from sqlalchemy.exc import IntegrityError

from kilonova.domain.context import RequestContext
from kilonova.domain.errors import Conflict, Missing
from kilonova.domain.image import Image, ImageStatus
from kilonova.store.database import Tx
from kilonova.store.queries.image_filters import ImageFilter, narrowed
from kilonova.store.queries.keyset import Keyset, nullable, page
from kilonova.store.tables.image import image_members, images

SORT_KEYS: Mapping[str, ColumnElement[Any]] = {
    **{
        name: images.c[name]
        for name in ("id", "status", "created_at", "updated_at", "visibility", "min_disk", "min_ram")
    },
    **{name: nullable(images.c[name]) for name in ("name", "container_format", "disk_format", "size", "owner")},
}
"""What a list of images can be sorted by."""

_COLUMNS = [column for column in images.c if column.name != "upload"]
_LIVE = images.c.deleted_at.is_(None)
_GET_ANY = select(*_COLUMNS).where(images.c.id == bindparam("image"), _LIVE)
_SHARED_WITH_WHOM = exists(
    select(image_members.c.member).where(
        image_members.c.image_id == images.c.id, image_members.c.member == bindparam("whose")
    )
)
_GET_SEEN = _GET_ANY.where(
    or_(
        images.c.visibility.in_(("public", "community")),
        images.c.owner == bindparam("whose"),
        (images.c.visibility == "shared") & _SHARED_WITH_WHOM,
    )
)


class ImageUse(msgspec.Struct, frozen=True):
    """What a project has: records, bytes of bits, and uploads under way."""

    images: int
    size: int
    uploads: int


def add(tx: Tx, image: Image) -> None:
    """Write a new record. Raises Conflict where its id was ever given."""
    try:
        tx.execute(insert(images), msgspec.structs.asdict(image))
    except IntegrityError as taken:
        raise Conflict(f"Image ID {image.id} already exists!") from taken


def get(tx: Tx, ctx: RequestContext, image_id: str, *, lock: bool = False) -> Image:
    """One image that the caller may see; `lock` keeps others from changing it. Raises Missing."""
    query = _GET_ANY if ctx.all_projects else _GET_SEEN
    return _one(tx, query, {"image": image_id, "whose": ctx.project_id}, lock=lock)


def get_any(tx: Tx, image_id: str, *, lock: bool = False) -> Image:
    """One image, whoever's it is. Raises Missing."""
    return _one(tx, _GET_ANY, {"image": image_id}, lock=lock)


def page_of(tx: Tx, ctx: RequestContext, wanted: ImageFilter, keyset: Keyset) -> list[Image]:
    """A page of the images that are shown to the caller in lists. Raises Rejected for an unknown marker."""
    query = select(*_COLUMNS).where(_LIVE, _listed(ctx, wanted), *narrowed(wanted))
    markers = select(images.c.id).where(_LIVE, _visible(ctx))
    return [_image(row) for row in tx.execute(page(tx, query, keyset, SORT_KEYS, markers))]


def put(tx: Tx, image: Image) -> None:
    """Write what a person may change of a record; it must be locked."""
    values = msgspec.structs.asdict(image)
    for fixed in ("id", "created_at", "deleted_at"):
        del values[fixed]
    tx.execute(update(images).where(images.c.id == image.id, _LIVE).values(values))


def begin_upload(tx: Tx, image_id: str, upload: str, now: datetime) -> bool:
    """Take a queued image for one upload; False when it is not queued."""
    queued = (images.c.id == image_id) & (images.c.status == ImageStatus.QUEUED)
    taken = update(images).where(queued).values(status=ImageStatus.SAVING, upload=upload, updated_at=now)
    return tx.execute(taken).rowcount == 1


def is_uploading(tx: Tx, image_id: str, upload: str) -> bool:
    """Whether this upload still has the image; if so, nobody takes it away in this transaction."""
    query = select(images.c.id).where(images.c.id == image_id, images.c.upload == upload)
    return tx.execute(query.with_for_update()).first() is not None


def end_upload(tx: Tx, image_id: str, values: Mapping[str, Any]) -> None:
    """The bits are in: `values` are size, virtual_size, checksum, sha512 and updated_at."""
    tx.execute(update(images).where(images.c.id == image_id).values(status=ImageStatus.ACTIVE, upload=None, **values))


def requeue(tx: Tx, image_id: str, upload: str, now: datetime) -> bool:
    """An upload came to nothing; False when it did not have the image any more."""
    held = (images.c.id == image_id) & (images.c.upload == upload)
    freed = update(images).where(held).values(status=ImageStatus.QUEUED, upload=None, updated_at=now)
    return tx.execute(freed).rowcount == 1


def uploads(tx: Tx) -> list[tuple[str, str]]:
    """Every image that is being uploaded, with its upload."""
    query = select(images.c.id, images.c.upload).where(images.c.upload.is_not(None))
    return [(row.id, row.upload) for row in tx.execute(query)]


def remove(tx: Tx, image_id: str, now: datetime) -> None:
    """Mark an image as deleted; an upload under way has lost it."""
    gone = {"status": ImageStatus.DELETED, "upload": None, "deleted_at": now, "updated_at": now}
    tx.execute(image_members.delete().where(image_members.c.image_id == image_id))
    tx.execute(update(images).where(images.c.id == image_id).values(gone))


def with_status(tx: Tx, *statuses: ImageStatus) -> set[str]:
    """The ids of all images in one of these statuses."""
    return set(tx.execute(select(images.c.id).where(images.c.status.in_(statuses))).scalars())


def use(tx: Tx, project_id: str | None) -> ImageUse:
    """What a project has."""
    query = select(
        func.count(images.c.id).label("images"),
        func.coalesce(func.sum(images.c.size), 0).label("size"),
        func.count(images.c.upload).label("uploads"),
    )
    row = tx.execute(query.where(images.c.owner == project_id, _LIVE)).one()
    return ImageUse(int(row.images), int(row.size), int(row.uploads))


def _one(tx: Tx, query: Select[Any], wanted: Mapping[str, Any], *, lock: bool) -> Image:
    row = tx.execute(query.with_for_update() if lock else query, wanted).first()
    if row is None:
        raise Missing("Image", wanted["image"][:64])
    return _image(row)


def _visible(ctx: RequestContext) -> ColumnElement[bool]:
    """Images that the caller may know of."""
    if ctx.all_projects:
        return true()
    return or_(images.c.visibility.in_(("public", "community")), _own(ctx), _shared_with(ctx, "all"))


def _listed(ctx: RequestContext, wanted: ImageFilter) -> ColumnElement[bool]:
    """Images that lists show: community ones of others, and shared ones not accepted, only when asked for."""
    if ctx.all_projects:
        return true()
    kinds = ("public", "community") if wanted.visibility in ("community", "all") else ("public",)
    return or_(images.c.visibility.in_(kinds), _own(ctx), _shared_with(ctx, wanted.member_status))


def _own(ctx: RequestContext) -> ColumnElement[bool]:
    return false() if ctx.project_id is None else images.c.owner == ctx.project_id


def _shared_with(ctx: RequestContext, status: str) -> ColumnElement[bool]:
    member = [image_members.c.image_id == images.c.id, image_members.c.member == (ctx.project_id or "")]
    if status != "all":
        member.append(image_members.c.status == status)
    return (images.c.visibility == "shared") & exists(select(image_members.c.member).where(*member))


def _image(row: Any) -> Image:
    values = dict(row._mapping)  # noqa: SLF001 - SQLAlchemy's documented row accessor
    return Image(**values | {"status": ImageStatus(values["status"])})
