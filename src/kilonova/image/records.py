"""Image records: made, changed, switched off and on, deleted."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from kilonova.domain.context import RequestContext
from kilonova.domain.errors import Conflict, Denied, OverQuota
from kilonova.domain.image import Image, ImageStatus
from kilonova.image.service import ImageService
from kilonova.store.queries import images
from kilonova.store.queries.quotas import hold

Edit = Callable[[Image], Image]
"""The image as it shall be; raises Denied unless the caller may, and the errors of what is wrong."""

_SWITCHED = {ImageStatus.ACTIVE: ImageStatus.DEACTIVATED, ImageStatus.DEACTIVATED: ImageStatus.ACTIVE}


class NewImage(msgspec.Struct, frozen=True, kw_only=True):
    """What a record is made from; `id` None has one made."""

    id: str | None = None
    owner: str | None
    name: str | None = None
    visibility: str = "shared"
    protected: bool = False
    hidden: bool = False
    disk_format: str | None = None
    container_format: str | None = None
    min_disk: int = 0
    min_ram: int = 0
    tags: tuple[str, ...] = ()
    properties: dict[str, str] = {}


def create(service: ImageService, new: NewImage) -> Image:
    """Make a record that waits for its bits. Raises OverQuota, and Conflict where the id was ever given."""
    now = service.clock.now()
    values = msgspec.structs.asdict(new) | {"id": new.id or service.ids.uuid()}
    image = Image(
        **values, status=ImageStatus.QUEUED, size=None, virtual_size=None, checksum=None, sha512=None,
        created_at=now, updated_at=now, deleted_at=None,
    )  # fmt: skip
    _check_counts(service, image)
    with service.database.write() as tx:
        images.add(tx, image)
        hold(tx, image.owner or "", "images")
        used, limit = images.use(tx, image.owner).images - 1, service.limits.project_images
        if used >= limit:
            raise OverQuota("images", requested=1, used=used, limit=limit)
    return image


def change(service: ImageService, ctx: RequestContext, image_id: str, edit: Edit) -> Image:
    """Change a record with nobody between reading and writing it. Raises Missing, OverQuota, and what `edit` does."""
    with service.database.write() as tx:
        before = images.get(tx, ctx, image_id, lock=True)
        after = edit(before)
        if after == before:
            return before
        _check_counts(service, after)
        after = msgspec.structs.replace(after, updated_at=service.clock.now())
        images.put(tx, after)
    return after


def switched_to(image: Image, wanted: ImageStatus) -> Image:
    """The image deactivated (its bits are kept from all but admins), or active again. Raises Conflict when it has no bits."""
    if image.status != wanted and _SWITCHED.get(image.status) != wanted:
        raise Conflict(f"Not allowed to make an image {wanted} that is {image.status}.")
    return msgspec.structs.replace(image, status=wanted)


def delete(service: ImageService, ctx: RequestContext, image_id: str, allow: Callable[[Image], None]) -> None:
    """Delete an image; hosts that run servers from it have their own copy. Raises Missing, Denied when it is protected."""
    with service.database.write() as tx:
        image = images.get(tx, ctx, image_id, lock=True)
        allow(image)
        if image.protected:
            raise Denied(
                f"Image {image.id} is protected and cannot be deleted.",
                next_step=f"openstack image set --unprotected {image.id}",
            )
        images.remove(tx, image.id, service.clock.now())
        tx.after_commit(lambda: service.bits.delete(image.id))


def _check_counts(service: ImageService, image: Image) -> None:
    for what, count, limit in (
        ("image properties", len(image.properties), service.limits.properties),
        ("bytes of image properties", _length(image.properties), service.limits.properties_size),
        ("image tags", len(image.tags), service.limits.tags),
    ):
        if count > limit:
            raise OverQuota(what, requested=count, used=0, limit=limit)


def _length(properties: dict[str, str]) -> int:
    return sum(len(key.encode()) + len(value.encode()) for key, value in properties.items())
