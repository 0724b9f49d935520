"""Sharing: the owner names projects, each of which accepts or declines."""

from __future__ import annotations

from collections.abc import Callable

from kilonova.domain.context import RequestContext
from kilonova.domain.errors import Denied, Missing, OverQuota
from kilonova.domain.image import Image, ImageMember
from kilonova.image.service import ImageService
from kilonova.store.database import Tx
from kilonova.store.queries import image_members, images

Allow = Callable[[Image], None]
"""Raises Denied unless the caller may do it to this image."""


def add(service: ImageService, ctx: RequestContext, image_id: str, member: str, allow: Allow) -> ImageMember:
    """Show an image to a project. Raises Missing, Denied unless it is a shared one, Conflict, OverQuota."""
    now = service.clock.now()
    with service.database.write() as tx:
        image = images.get(tx, ctx, image_id, lock=True)
        allow(image)
        if image.visibility != "shared":
            raise Denied("Only shared images have members.", next_step=f"openstack image set --shared {image.id}")
        used, limit = image_members.count(tx, image.id), service.limits.members
        if used >= limit:
            raise OverQuota("image members", requested=1, used=used, limit=limit)
        made = ImageMember(image_id=image.id, member=member, status="pending", created_at=now, updated_at=now)
        image_members.add(tx, made)
    return made


def answer(service: ImageService, ctx: RequestContext, image_id: str, member: str, status: str) -> ImageMember:
    """A project accepts or declines; `pending` takes that back. Raises Missing."""
    with service.database.write() as tx:
        image = images.get(tx, ctx, image_id)
        _member(tx, ctx, image, member)
        image_members.set_status(tx, image.id, member, status, service.clock.now())
        return image_members.get(tx, image.id, member)


def remove(service: ImageService, ctx: RequestContext, image_id: str, member: str, allow: Allow) -> None:
    """Show an image to a project no more. Raises Missing."""
    with service.database.write() as tx:
        image = images.get(tx, ctx, image_id)
        allow(image)
        image_members.remove(tx, image.id, member)


def show(service: ImageService, ctx: RequestContext, image_id: str, member: str) -> ImageMember:
    """One member, as its owner or itself sees it. Raises Missing."""
    with service.database.read() as tx:
        return _member(tx, ctx, images.get(tx, ctx, image_id), member)


def index(service: ImageService, ctx: RequestContext, image_id: str) -> list[ImageMember]:
    """All members, for the owner; for a member, itself. Raises Missing, Denied for an image that is not shared."""
    with service.database.read() as tx:
        image = images.get(tx, ctx, image_id)
        if image.visibility != "shared":
            raise Denied("Only shared images have members.")
        return image_members.of_image(tx, image.id, None if _owns(ctx, image) else ctx.project_id or "")


def _member(tx: Tx, ctx: RequestContext, image: Image, member: str) -> ImageMember:
    if not _owns(ctx, image) and member != ctx.project_id:
        raise Missing("Image member", member[:64])
    return image_members.get(tx, image.id, member)


def _owns(ctx: RequestContext, image: Image) -> bool:
    return ctx.all_projects or (image.owner is not None and image.owner == ctx.project_id)
