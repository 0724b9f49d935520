"""An image service of records only, for the stories of whoever boots from images."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from kilonova.domain.context import RequestContext
from kilonova.domain.errors import Missing
from kilonova.domain.image import Image, ImageStatus

TINY = "70a599e0-31e7-49b7-b260-868f441e862b"
WHEN = datetime(2026, 1, 1, tzinfo=UTC)


def image(ident: str = TINY, **changes: Any) -> Image:
    """A small active public image, changed as asked."""
    fields: dict[str, Any] = {
        "id": ident, "owner": None, "name": "tiny", "status": ImageStatus.ACTIVE, "visibility": "public", "protected": False,
        "hidden": False, "disk_format": "qcow2", "container_format": "bare", "size": 10_000_000, "virtual_size": 50_000_000,
        "min_disk": 0, "min_ram": 0, "checksum": None, "sha512": None, "tags": (), "properties": {"architecture": "x86_64"},
        "created_at": WHEN, "updated_at": WHEN, "deleted_at": None,
    }  # fmt: skip
    return Image(**{**fields, **changes})


class FakeImages:
    """Knows the images it is given; private ones are their owner's."""

    def __init__(self, *images: Image) -> None:
        self.known = {one.id: one for one in images}

    def get(self, ctx: RequestContext, image_id: str) -> Image:
        found = self.known.get(image_id)
        if found is None or (found.visibility == "private" and found.owner != ctx.project_id):
            raise Missing("Image", image_id)
        return found
