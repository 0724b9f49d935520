"""Images: their records; the bits are in `image/`'s store."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

import msgspec

DISK_FORMATS = ("raw", "qcow2", "iso", "ami", "aki", "ari")
CONTAINER_FORMATS = ("bare", "ami", "aki", "ari")
VISIBILITIES = ("public", "private", "shared", "community")
MEMBER_STATUSES = ("pending", "accepted", "rejected")


class ImageStatus(StrEnum):
    """Glance's words. A record is queued until its bits are in, then active; a failed upload goes back to queued."""

    QUEUED = "queued"
    SAVING = "saving"
    ACTIVE = "active"
    DEACTIVATED = "deactivated"
    KILLED = "killed"
    DELETED = "deleted"


class Image(msgspec.Struct, frozen=True, kw_only=True):
    """One image's record; sizes in bytes, min_disk in GiB, min_ram in MiB. `properties` are the free ones."""

    id: str
    owner: str | None  # project
    name: str | None
    status: ImageStatus
    visibility: str  # public, private, shared, community
    protected: bool
    hidden: bool
    disk_format: str | None
    container_format: str | None
    size: int | None
    virtual_size: int | None
    min_disk: int
    min_ram: int
    checksum: str | None  # md5, as clients still want
    sha512: str | None
    tags: tuple[str, ...]
    properties: dict[str, str]
    created_at: datetime
    updated_at: datetime
    deleted_at: datetime | None


class ImageMember(msgspec.Struct, frozen=True, kw_only=True):
    """A project that a shared image is shown to; in its lists only once it has accepted."""

    image_id: str
    member: str
    status: str  # pending, accepted, rejected
    created_at: datetime
    updated_at: datetime
