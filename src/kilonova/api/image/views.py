"""Images and members as Glance shows them. Addresses are paths, as there."""

from __future__ import annotations

from typing import Annotated

from kilonova.api.framework import View, rest
from kilonova.api.framework.types import iso_z
from kilonova.domain.image import Image, ImageMember


class ImageView(View):
    """An image, with its free properties beside its own attributes."""

    id: str
    name: str | None
    status: str
    visibility: str
    owner: str | None
    protected: bool
    os_hidden: bool
    disk_format: str | None
    container_format: str | None
    size: int | None
    virtual_size: int | None
    min_disk: int
    min_ram: int
    checksum: str | None
    os_hash_algo: str | None
    os_hash_value: str | None
    tags: list[str]
    created_at: str | None
    updated_at: str | None
    self: str
    file: str
    schema: str
    properties: Annotated[dict[str, str], rest()]


class MemberView(View):
    """One project that an image is shared with."""

    image_id: str
    member_id: str
    status: str
    created_at: str | None
    updated_at: str | None
    schema: str


def image_view(image: Image) -> ImageView:
    """An image as everybody who may see it sees it."""
    path = f"/v2/images/{image.id}"
    return ImageView(
        id=image.id, name=image.name, status=image.status, visibility=image.visibility, owner=image.owner,
        protected=image.protected, os_hidden=image.hidden, disk_format=image.disk_format,
        container_format=image.container_format, size=image.size, virtual_size=image.virtual_size,
        min_disk=image.min_disk, min_ram=image.min_ram, checksum=image.checksum,
        os_hash_algo="sha512" if image.sha512 else None, os_hash_value=image.sha512, tags=sorted(image.tags),
        created_at=iso_z(image.created_at), updated_at=iso_z(image.updated_at), self=path, file=f"{path}/file",
        schema="/v2/schemas/image", properties=image.properties,
    )  # fmt: skip


def member_view(member: ImageMember) -> MemberView:
    """A member."""
    return MemberView(
        image_id=member.image_id, member_id=member.member, status=member.status, created_at=iso_z(member.created_at),
        updated_at=iso_z(member.updated_at), schema="/v2/schemas/member",
    )  # fmt: skip
