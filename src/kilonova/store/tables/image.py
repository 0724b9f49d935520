"""Images and their members."""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, CheckConstraint, Column, ForeignKey, Index, Integer, String, Table

from kilonova.store.tables.base import Name, Uuid, metadata
from kilonova.store.types import Instant, Json

images = Table(
    "images", metadata,
    Column("id", Uuid, primary_key=True),
    Column("owner", Name),
    Column("name", Name),
    Column("status", String(16), nullable=False),
    Column("visibility", String(16), nullable=False),
    Column("protected", Boolean, nullable=False),
    Column("hidden", Boolean, nullable=False),
    Column("disk_format", String(16)),
    Column("container_format", String(16)),
    Column("size", BigInteger),
    Column("virtual_size", BigInteger),
    Column("min_disk", Integer, nullable=False),
    Column("min_ram", Integer, nullable=False),
    Column("checksum", String(32)),
    Column("sha512", String(128)),
    Column("tags", Json(tuple[str, ...]), nullable=False),
    Column("properties", Json(dict[str, str]), nullable=False),
    Column("upload", Uuid),  # the upload under way, so that an older one cannot end in its place
    Column("created_at", Instant, nullable=False),
    Column("updated_at", Instant, nullable=False),
    Column("deleted_at", Instant),  # the record stays, so that its id is never given to other bits
    CheckConstraint("(status = 'saving') = (upload IS NOT NULL)", name="saving_iff_upload"),
    CheckConstraint("(status = 'deleted') = (deleted_at IS NOT NULL)", name="deleted_iff_when"),
    Index("ix_images_created", "created_at", "id"),
    Index("ix_images_owner", "owner"),
)  # fmt: skip

_deleted = images.c.deleted_at.is_not(None)
Index("ix_images_deleted", images.c.deleted_at, sqlite_where=_deleted, postgresql_where=_deleted)

image_members = Table(
    "image_members", metadata,
    Column("image_id", Uuid, ForeignKey("images.id", ondelete="CASCADE"), primary_key=True),
    Column("member", Name, primary_key=True),  # a project
    Column("status", String(16), nullable=False),  # pending, accepted, rejected
    Column("created_at", Instant, nullable=False),
    Column("updated_at", Instant, nullable=False),
    Index("ix_image_members_member", "member"),
)  # fmt: skip
